"""Why an experiment did not come to its end. What is stored is English; here it is put into other languages."""

import re
from typing import Final

from experiments.words import N_, Translate, in_language, untranslated

TROUBLES: Final = (
    N_("interrupted: the process that ran it has ended; what it had found until then is kept"),
    N_(
        "no worker answers that takes the jobs of %(arm)s: start one with `%(command)s`, or in containers with"
        " `%(compose)s`"
    ),
    N_("jobs of a repetition of %(arm)s that was over did not end: its workers are not free"),
    N_("messages of others wait in its queues (%(held)s): let the workers come to their end, or purge them"),
    N_("the broker does not answer"),
    N_("the capacity of %(arm)s is not known: none of the jobs of a short burst ended"),
    N_("The workers cannot be asked: %(why)s."),
    N_("Workers come and go: they could not be made equal."),
    N_("%(worker)s does not tell how many jobs it runs at once."),
    N_("Two workers are called %(worker)s: start each with a name of its own."),
    N_("%(worker)s runs %(n)s jobs at once and could not be set to %(wanted)s: %(why)s."),
    N_("%(worker)s runs %(n)s jobs at once and could not be set to %(wanted)s."),
)
"""The sentences of api.experiments and experiments.equalise; tests hold them together."""

_NAME: Final = re.compile(r"%\\\((\w+)\\\)s")  # as re.escape leaves it


def trouble_text(error: str, _: Translate = untranslated) -> str:
    """`error` in the language of `_`, where it is one of TROUBLES; else as it is."""
    for template in TROUBLES:
        pattern = _NAME.sub(lambda found: f"(?P<{found[1]}>.+)", re.escape(template))
        if found := re.fullmatch(pattern, error, re.DOTALL):
            told = found.groupdict()
            return _(template) % (told | {"arm": in_language(told["arm"], _)} if "arm" in told else told)
    return error
