"""Which request meets which fault: drawn from a seed, so that a run can be repeated."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

# What happens to requests to S3, and how often beside each other. A refusal ends a run, so it is rare.
S3_FAULTS = {
    "reset": 3.0,        # the connection breaks before the request reaches the server
    "lost answer": 3.0,  # it breaks after the server did what was asked
    "late": 1.0,         # it breaks, and the request reaches the server a while later
    "500": 2.0,
    "500 though done": 1.0,
    "503": 2.0,
    "503 with Retry-After": 0.5,
    "403": 0.2,
    "half an answer": 2.0,
    "twice": 2.0,        # the server gets the request twice; the second answer is delivered
    "delay": 2.0,
    "old listing": 2.0,  # a listing is answered as it was a moment ago
}
# What happens to packets of SFTP.
SFTP_FAULTS = {
    "cut before": 3.0,      # the connection ends before the request reaches the server
    "cut after": 3.0,       # it ends after the server did what was asked
    "cut in the middle": 3.0,
    "failure": 0.3,
    "stall": 2.0,
    "small pieces": 3.0,
    "short read": 3.0,      # the server delivers less of a file than was asked for
}
S3_RATES, SFTP_RATES = (0.02, 0.05, 0.1, 0.2), (0.002, 0.005, 0.01)  # by request, and by packet


@dataclass(frozen=True)
class Fault:
    """What happens to a request. `measure`, from 0 to 1, says how much of it: how long, or where it is cut."""
    kind: str
    measure: float


@dataclass(frozen=True)
class Plan:
    """The faults of a seed."""
    seed: int
    rate: float
    weights: Mapping[str, float]

    @classmethod
    def of(cls, seed: int, kinds: Mapping[str, float], rates: tuple[float, ...]) -> "Plan":
        """Each seed has a rate, and kinds that it prefers."""
        random = Random(f"plan {seed}")
        rate = random.choice(rates)
        return cls(seed, rate, {kind: weight * random.random() for kind, weight in kinds.items()})

    def fault(self, stream: int, number: int) -> Fault | None:
        """What happens to a request: the `number`th of a connection or a client, which is the `stream`th."""
        random = Random(f"{self.seed} {stream} {number}")
        if random.random() >= self.rate:
            return None
        kind = random.choices(list(self.weights), list(self.weights.values()))[0]
        return Fault(kind, random.random())
