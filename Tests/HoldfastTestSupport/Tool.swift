internal import Glibc
package import HoldfastModel

/// The built `holdfast`, as its users run it: with a source, a repository and a cache in a temporary directory.
package struct Tool: Sendable {
  package let directory = TemporaryDirectory()

  package var source: Path { directory.appending("source") }
  package var repository: Path { directory.appending("repository") }
  package var cache: Path { directory.appending("cache") }
  /// The directories of the machine that the test stands for: its configuration and writer key, and its memory.
  package var configuration: Path { directory.appending("configuration") }
  package var state: Path { directory.appending("state") }

  /// The root directory of the package.
  package static let root: Path = {
    var path = Path(#filePath)
    for _ in 0..<3 { path = path.parent ?? .root }
    return path
  }()

  /// The binary: HOLDFAST_BINARY, otherwise the one that `swift build` makes.
  package static let binary: Path = {
    let named = environmentValue("HOLDFAST_BINARY").map { Path($0) }
    let path = named ?? root.appending(".build/debug/holdfast")
    print("testing \(path)" + (named == nil ? " (HOLDFAST_BINARY is not set)" : ""))
    return path
  }()

  /// Makes the directory and an empty source.
  package init() {
    TestFiles.makeDirectory(source)
  }

  /// Makes the directory with a copy of everything that another one has.
  package init(copyOf other: Tool) {
    for name in TestFiles.names(in: other.directory.path) {
      TestFiles.copyTree(other.directory.appending(name), to: directory.appending(name))
    }
  }

  /// The whole environment that `run` gives a process. It refers to no directory of the machine or of a user.
  package var environment: [String: String] {
    RunningProcess.plainEnvironment.merging([
      "HOME": directory.appending("home").text, "HOLDFAST_REPOSITORY": repository.text,
      "HOLDFAST_CACHE_DIR": cache.text, "HOLDFAST_CONFIG_DIR": configuration.text, "HOLDFAST_STATE_DIR": state.text,
    ]) { $1 }
  }

  /// Returns the start of `holdfast`. A test changes what should be different.
  package func start(_ arguments: [String]) -> RunningProcess.Start {
    var start = RunningProcess.Start([Self.binary.text] + arguments)
    start.environment = environment
    start.directory = directory.path
    return start
  }

  /// Runs `holdfast` to its end, in the temporary directory.
  @discardableResult
  package func run(_ arguments: String..., configure: (inout RunningProcess.Start) -> Void = { _ in }) -> ProcessResult
  {
    var start = start(arguments)
    configure(&start)
    return RunningProcess(start).wait()
  }

  /// Runs another program, with the same environment.
  @discardableResult
  package func other(
    _ arguments: String..., configure: (inout RunningProcess.Start) -> Void = { _ in }
  ) -> ProcessResult {
    var start = RunningProcess.Start(arguments)
    start.environment = environment
    start.directory = directory.path
    configure(&start)
    return RunningProcess(start).wait()
  }

  /// Returns `text` with everything substituted that differs from run to run: the directory, IDs, times, durations.
  /// Blanks between columns become two.
  package func plain(_ text: String) -> String {
    var plain = text
    plain.replace(directory.path.text, with: "DIR")
    plain.replace(/\b[0-9a-f]{64}\b/, with: "DIGEST")
    plain.replace(/\b[0-9a-f]{32}\b/, with: "LONGID")
    plain.replace(/\b[0-9a-f]{8}\b/, with: "ID")
    plain.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}/, with: "TIME")
    plain.replace(/\b\d+(\.\d+)? s\b/, with: "SECONDS")
    plain.replace(/[ ]{2,}/, with: "  ")
    return plain
  }

  /// The objects of the repository that were begun and not committed. Those of leases, which exist only for a moment,
  /// are left out.
  package var unfinishedObjects: [Path] {
    TestFiles.allFiles(in: repository).filter { $0.text.contains("/.unfinished-") && !$0.text.contains("/leases/") }
  }

  package static func environmentValue(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
  package static var isRoot: Bool { geteuid() == 0 }
}

extension Path {
  /// The path as text, for command lines; only for paths that a test has made from text.
  package var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// A small file system in memory, mounted as long as this value lives. A test that uses it says `.requires(.mounts)`.
package final class SmallDisk {
  package let path: Path

  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  package init(at path: Path, mebibytes: Int) throws {
    self.path = path
    TestFiles.makeDirectory(path)
    try Self.mount("-t", "tmpfs", "-o", "size=\(mebibytes)m", "tmpfs", path.text)
  }

  /// Shows a file or directory at another path as well, on the same device.
  package init(showing original: Path, at path: Path) throws {
    self.path = path
    try Self.mount("--bind", original.text, path.text)
  }

  deinit {
    _ = path.withCString { umount2($0, Int32(MNT_DETACH)) }
  }

  package func makeReadOnly() throws { try Self.mount("-o", "remount,ro", path.text) }

  private static func mount(_ arguments: String...) throws {
    let start = RunningProcess.Start(["mount"] + arguments)
    let result = RunningProcess(start).wait()
    guard result.exitStatus == 0 else { throw Failure(description: result.error) }
  }
}
