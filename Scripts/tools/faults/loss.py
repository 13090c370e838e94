"""A volume server of SeaweedFS dies in the middle of a run. Everything lies on two of three, so nothing is lost."""

from collections import Counter
from functools import partial
from pathlib import Path

from .interrupted import Interrupted
from .seaweed import Cluster


def tell_loss(directory: Path, program: str) -> Counter[str]:
    """Each of them in turn, in the middle of a backup, a restore and a verify; the others suffice."""
    cluster = Cluster(directory / "cluster")
    try:
        shop = Interrupted(directory, program, f"s3:http://127.0.0.1:{cluster.port}/{cluster.bucket}/loss",
                           cluster.admin.environment)
        shop.make_repository()
        for name, words in zip(cluster.volume_servers, shop.each_command(), strict=True):
            shop.interrupt(partial(cluster.kill_one, name), *words)
            # It is still dead.
            shop.judge()
            cluster.revive(name)
        shop.back_up()
        shop.judge()
        acknowledged = len(shop.acknowledged)
        return Counter({"acknowledged": acknowledged, "restored": acknowledged})
    finally:
        cluster.kill()
