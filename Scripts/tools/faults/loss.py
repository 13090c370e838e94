"""A server loses a part of itself in the middle of a run, or says nothing any more."""

from collections import Counter
from functools import partial
from pathlib import Path

from .interrupted import Interrupted
from .plan import Plan
from .proxy import Proxy
from .seaweed import Cluster, SeaweedFS


def tell_silence(directory: Path, program: str, server: SeaweedFS) -> Counter[str]:
    """A server that takes every request, and answers none."""
    proxy = Proxy(Plan(0, 0, {}), server.port)
    try:
        shop = Interrupted(directory, program, f"s3:http://127.0.0.1:{proxy.port}/{server.bucket}/{directory.name}",
                           server.admin.environment)
        shop.make_repository()
        shop.outlive(proxy.speaks.clear, proxy.speaks.set)
        return shop.figures
    finally:
        proxy.close()


def tell_loss(directory: Path, program: str) -> Counter[str]:
    """Each volume server dies in turn, in the middle of a backup, a restore and a verify.

    Everything lies on two of three of them, so nothing is lost.
    """
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
        return shop.figures
    finally:
        cluster.kill()
