"""How far an experiment is, on standard error: a bar on a terminal, lines elsewhere."""

from typing import Final, TextIO

from experiments.model import Experiment

WIDTH: Final = 30


class Progress:
    """Shows each state once. Nothing stays of the bar but what `end` leaves."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar = stream.isatty()
        self._shown = ""

    def show(self, experiment: Experiment) -> None:
        """How far it is, and what it does."""
        step = experiment.step or ("waits for its turn" if experiment.status == "PENDING" else "")
        if self._bar:
            done = round(WIDTH * experiment.progress)
            self._draw(f"[{'#' * done}{'.' * (WIDTH - done)}] {experiment.progress:4.0%}  {step}")
        elif step and step != self._shown:
            self._shown = step
            self.say(f"{experiment.progress:.0%}  {step}")

    def say(self, text: str) -> None:
        """A line that stays."""
        self.end()
        print(text, file=self._stream, flush=True)

    def end(self) -> None:
        """Takes the bar away."""
        if self._bar and self._shown:
            self._draw("")
            self._stream.write("\r")
            self._stream.flush()

    def _draw(self, text: str) -> None:
        self._stream.write(f"\r{text.ljust(len(self._shown))}")
        self._stream.flush()
        self._shown = text
