"""Two of the three copies of everything go away in the middle of a run: then no request is answered any more."""

from pathlib import Path

from ..faults.interrupted import Interrupted
from .server import Ceph

STOPPED = (1, 2)


def tell_outage(directory: Path, program: str, server: Ceph) -> None:
    """Backup, restore and verify give up, and go on when the server is back."""
    def stop() -> None:
        for osd in STOPPED:
            server.kill_osd(osd)

    def start() -> None:
        for osd in STOPPED:
            server.start_osd(osd)
        server.wait_for_osds()

    shop = Interrupted(directory, program, f"s3:http://127.0.0.1:{server.port}/{server.bucket}/outage",
                       server.admin.environment)
    shop.make_repository()
    shop.succeed("check")
    shop.outlive(stop, start)
