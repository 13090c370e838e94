internal import Glibc
package import HoldfastModel

/// The machine on which a run works: the source of everything that is not a pure computation.
package struct Host: Sendable {
  package let files: FileSystem
  package let clock: Clock
  package let random: Randomness
  /// Raised by a signal; long work checks it between two steps.
  package private(set) var cancellation: Cancellation
  /// The number of threads for blocking and computing work.
  package let workers: Int
  /// The directories for scratch files, best first.
  package let scratchDirectories: [Path]
  /// Limits the rate at which a source is read; `nil` for no limit.
  package private(set) var readLimit: RateLimit?

  package init(
    files: FileSystem = FileSystem(), clock: Clock = .system, random: Randomness = .system,
    cancellation: Cancellation = Cancellation(), workers: Int, scratchDirectories: [Path]
  ) {
    self.files = files
    self.clock = clock
    self.random = random
    self.cancellation = cancellation
    self.workers = workers
    self.scratchDirectories = scratchDirectories
  }

  /// Returns the same machine for work that another flag ends.
  package func with(_ cancellation: Cancellation) -> Host {
    Host(
      files: files, clock: clock, random: random, cancellation: cancellation, workers: workers,
      scratchDirectories: scratchDirectories
    ).reading(within: readLimit)
  }

  /// Returns the same machine with a limit for reading a source.
  package func reading(within limit: RateLimit?) -> Host {
    var host = self
    host.readLimit = limit
    return host
  }

  /// Returns the same machine for work that another flag stops.
  package func cancelled(by cancellation: Cancellation) -> Host {
    var host = self
    host.cancellation = cancellation
    return host
  }

  package func makeScratchFile() throws -> ScratchFile {
    try ScratchFile(files: files, directories: scratchDirectories, random: random)
  }
}

extension Host {
  /// Returns the path of this program.
  package func program() throws -> Path {
    do throws(SystemError) {
      return try files.resolve(Path("/proc/self/exe"))
    } catch {
      guard error.isNotFound else { throw error }
      throw EngineError(
        .machine, "where this program lies cannot be told: /proc is not mounted",
        hint: "Mount it: mount -t proc proc /proc")
    }
  }

  /// The name of this machine, for people; empty if it cannot be printed.
  package static var name: String {
    var bytes = [CChar](repeating: 0, count: 65)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "" }
    let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return name.unicodeScalars.allSatisfy(Path.isPrintable) ? name : ""
  }

  package static var processID: Int32 { getpid() }
}
