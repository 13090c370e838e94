package import HoldfastModel

/// A process on a machine on which holdfast was never used: `/etc/holdfast` does not exist, and `/var/lib` and
/// `/var/cache` are directories of the test. It is for tests of these directories; all others name their directories by
/// variables (`Tool.environment`). A test that uses it says `.requires(.overlayMounts)`.
package struct OwnMachine {
  private let directory: Path

  /// - Parameter directory: a directory of the test. Files that processes keep in `/var` stay in it from one process to
  ///   the next.
  package init(in directory: Path) {
    self.directory = directory.appending("machine")
    for path in [self.directory, lib, cache] { TestFiles.makeDirectory(path) }
  }

  /// The directories that are `/var/lib` and `/var/cache` of the machine.
  package var lib: Path { directory.appending("lib") }
  package var cache: Path { directory.appending("cache") }

  /// The words before a command that start it on this machine, as root.
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
