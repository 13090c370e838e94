package import HoldfastModel

/// The machine a run works on: everything that is not a pure computation comes through here.
package struct Host: Sendable {
  package let files: FileSystem
  package let clock: Clock
  package let random: Randomness
  /// Set by a signal; long work looks at it between two steps.
  package let cancellation: Cancellation
  /// Threads for blocking and computing work.
  package let workers: Int
  /// Where scratch files may lie, best first.
  package let scratchDirectories: [Path]
  /// Bounds how fast a source is read; `nil` for no bound.
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

  /// The same machine, on which a source is read no faster than this.
  package func reading(within limit: RateLimit?) -> Host {
    var host = self
    host.readLimit = limit
    return host
  }

  package func makeScratchFile() throws -> ScratchFile {
    try ScratchFile(files: files, directories: scratchDirectories, random: random)
  }
}
