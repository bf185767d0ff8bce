"""The form of an experiment, as it was typed and as it is meant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pydantic import ValidationError
from werkzeug.datastructures import MultiDict

from api.experiments import wording
from api.web.forms import Form
from api.web.i18n import local
from api.web.numbers import two_ways, typed, typed_list
from api.web.schemas import faults
from experiments.model import CONTENDERS, arm_name
from experiments.plan import (
    DEFAULT_JOBS,
    MAX_ARMS,
    MAX_VALUES,
    Arm,
    Burst,
    ExponentialDuration,
    FixedDuration,
    OpenLoop,
    Plan,
    Uniform,
    Values,
)
from lab.delivery import Delivery

DEFAULTS: Final = {
    "amount": "jobs",
    "jobs": str(DEFAULT_JOBS),
    "seconds": "5",
    "work": "wait",
    "p": "0.1",
    "law": "fixed",
    "fixed": "0.01",
    "low": "0.005",
    "high": "0.02",
    "mean": "0.01",
    "values": "",
    "arrival": "burst",
    "rate": "50",
    "share": "50",
    "spacing": "poisson",
    "reports": "beside",
    "payload_bytes": "0",
    "repetitions": "5",
    "seed": "1",
    "deadline": "300",
    "title": "",
}
SWITCHES: Final = ("warm_up", "equalise")
FIRST_ARMS: Final = tuple(name for name, arm in CONTENDERS.items() if arm.delivery is Delivery.SAFE)

_FIELDS: Final = {
    "duration.seconds": "fixed",
    "duration.low": "low",
    "duration.high": "high",
    "duration.mean": "mean",
    "duration.values": "values",
    "arrival.rate": "rate",
    "arrival.share": "share",
}


@dataclass
class ExperimentForm(Form):
    """The form of an experiment; untyped it holds the defaults."""

    longest: ClassVar[int] = 500_000

    def at_first(self, name: str) -> str:
        """The default of the field `name`."""
        default = DEFAULTS.get(name, "")
        return default if name == "title" else local(default)

    def on(self, switch: str) -> bool:
        """Whether the checkbox `switch` is ticked."""
        return switch in SWITCHES if self.typed is None else switch in self.typed

    def has_more(self) -> bool:
        """Whether there is something to see in the part of the form that is folded away."""
        folded = ("reports", "payload_bytes", "deadline", "title")
        return any(name in self.errors or self.value(name) != self.at_first(name) for name in folded)

    def arms(self) -> list[str]:
        """The names of the chosen arms, in the order of the cards."""
        chosen: Iterable[str] = FIRST_ARMS if self.typed is None else self.typed.getlist("arm")
        return [name for name in CONTENDERS if name in set(chosen)]

    def contenders(self) -> list[Arm]:
        """The chosen arms as the plan has them, each twice where they run against themselves."""
        chosen = [CONTENDERS[name] for name in self.arms()]
        return [arm for arm in chosen for _ in range(2)] if self.on("twice") else chosen

    def plan(self) -> Plan | None:
        """The plan that is meant, or None with `errors` saying at each field why there is none."""
        wanted: dict[str, Any] = {
            "title": self.value("title").strip(),
            "arms": self.contenders(),
            "work": self.value("work"),
            "duration": self._duration(),
            "arrival": self._arrival(),
            "reports": self.value("reports"),
            **{name: self._whole(name) for name in ("payload_bytes", "repetitions", "seed")},
            "deadline": self._number("deadline"),
            **{switch: self.on(switch) for switch in SWITCHES},
        }
        if self.value("work") == "failing":
            wanted["p"] = self._number("p")
        amount = "seconds" if self.value("amount") == "seconds" else "jobs"
        wanted[amount] = self._number(amount) if amount == "seconds" else self._whole(amount)
        if amount == "seconds" and self.value("arrival") == "burst":
            self.errors["seconds"] = wording.seconds_need_a_rate()
        try:
            plan = Plan.model_validate(wanted)
        except ValidationError as error:
            for fault in faults(error):
                self._remember(fault)
            return None
        return None if self.errors else plan

    def compared(self) -> Plan | None:
        """A plan that has what the table of differences looks at: the one that is meant, or, while the
        form has faults, its arms alone. None where fewer than one arm is chosen."""
        if plan := ExperimentForm(self.typed).plan():
            return plan
        arms = self.contenders()[:MAX_ARMS]
        return Plan(arms=arms, jobs=1, equalise=self.on("equalise")) if arms else None

    def _duration(self) -> dict[str, Any]:
        match self.value("law"):
            case "uniform":
                return {"law": "uniform", "low": self._number("low"), "high": self._number("high")}
            case "exponential":
                return {"law": "exponential", "mean": self._number("mean")}
            case "values":
                return {"law": "values", "values": typed_list(self.value("values"))[: MAX_VALUES + 1]}
            case _:
                return {"law": "fixed", "seconds": self._number("fixed")}

    def _arrival(self) -> dict[str, Any]:
        spacing = self.value("spacing")
        match self.value("arrival"):
            case "open":
                return {"law": "open", "rate": self._number("rate"), "spacing": spacing}
            case "share":
                percent = self._number("share")
                share = percent if isinstance(percent, str) else percent / 100
                return {"law": "open", "share": share, "spacing": spacing}
            case _:
                return {"law": "burst"}

    def _remember(self, fault: Mapping[str, Any]) -> None:
        parts = [part for part in str(fault["field"]).split(".") if not part.isdecimal()]
        name = _FIELDS.get(".".join(parts), parts[0])
        message = str(fault["message"])
        if name == "duration":
            name = "high"
        if name == "body":
            if "seconds go with" in message:
                return  # said at its field already
            name = self.value("amount")
        if name == "arms":
            name = "arm"
        self.errors.setdefault(name, two_ways(self.value(name)) or wording.bound(name))

    def _number(self, name: str) -> int | float | str:
        return typed(self.value(name).strip())

    def _whole(self, name: str) -> int | float | str:
        return typed(self.value(name).strip(), whole=True)


def typed_of(plan: Plan) -> MultiDict[str, str]:
    """`plan` as the form that makes it, to run it again."""
    chosen = [arm_name(arm) for arm in plan.arms]
    first = ExperimentForm()
    typed: MultiDict[str, str] = MultiDict({name: first.at_first(name) for name in DEFAULTS})
    typed.setlist("arm", list(dict.fromkeys(chosen)))
    if len(chosen) == 2 * len(set(chosen)):
        typed["twice"] = "on"
    for switch in SWITCHES:
        if getattr(plan, switch):
            typed[switch] = "on"
    for name in ("title", "payload_bytes", "repetitions", "seed"):
        typed[name] = str(getattr(plan, name))
    typed["work"], typed["reports"] = plan.work.value, plan.reports.value
    typed["p"], typed["deadline"] = _text(plan.p), _text(plan.deadline)
    typed["amount"] = "jobs" if plan.jobs is not None else "seconds"
    typed[typed["amount"]] = _text(plan.jobs if plan.jobs is not None else plan.seconds or 0)
    _type_duration(typed, plan)
    _type_arrival(typed, plan)
    return typed


def _type_duration(typed: MultiDict[str, str], plan: Plan) -> None:
    typed["law"] = plan.duration.law
    match plan.duration:
        case FixedDuration(seconds=seconds):
            typed["fixed"] = _text(seconds)
        case Uniform(low=low, high=high):
            typed["low"], typed["high"] = _text(low), _text(high)
        case ExponentialDuration(mean=mean):
            typed["mean"] = _text(mean)
        case Values(values=values):
            typed["values"] = " ".join(map(_text, values))


def _type_arrival(typed: MultiDict[str, str], plan: Plan) -> None:
    match plan.arrival:
        case OpenLoop(share=float() as share, spacing=spacing):
            typed["arrival"], typed["share"], typed["spacing"] = "share", _text(100 * share), spacing
        case OpenLoop(rate=rate, spacing=spacing):
            typed["arrival"], typed["rate"], typed["spacing"] = "open", _text(rate), spacing
        case Burst():
            typed["arrival"] = "burst"


def _text(value: float) -> str:
    return local(f"{value:.12g}")
