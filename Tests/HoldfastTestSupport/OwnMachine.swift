package import HoldfastModel

/// A process on a machine on which holdfast was never used: `/etc/holdfast` is not there, and `/var/lib` and
/// `/var/cache` are directories of the test. For tests of these places themselves; all others name their places by
/// variables (`Tool.environment`). A test that uses it says `.requires(.overlayMounts)`.
package struct OwnMachine {
  private let directory: Path

  /// - Parameter directory: of the test; what processes keep in `/var` stays in it from one to the next.
  package init(in directory: Path) {
    self.directory = directory.appending("machine")
    for path in [self.directory, lib, cache] { TestFiles.makeDirectory(path) }
  }

  /// What the machine has as `/var/lib`, and as `/var/cache`.
  package var lib: Path { directory.appending("lib") }
  package var cache: Path { directory.appending("cache") }

  /// What stands before a command so that it is started there, as root.
  package var prefix: [String] {
    ["unshare", "--mount", "--propagation", "private", "sh", "-ec", Self.script, "sh", lib.text, cache.text]
  }

  private static let script = """
    mount --bind "$1" /var/lib; mount --bind "$2" /var/cache; shift 2
    mount -t tmpfs -o mode=755 tmpfs /mnt; mkdir /mnt/upper /mnt/work
    mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
    rm -rf /etc/holdfast
    exec "$@"
    """
}
