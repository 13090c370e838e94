internal import HoldfastModel
package import HoldfastSystem

/// Hosts and clocks of tests.
package enum TestHost {
  package static func make(
    workers: Int = 2, probe: (any OperationProbe)? = nil, clock: Clock = .system, random: Randomness = .system
  ) -> Host {
    Host(
      files: FileSystem(probe: probe), clock: clock, random: random, workers: workers,
      scratchDirectories: [Path("/tmp")])
  }

  /// Returns a clock that is ahead by this many seconds: to it, everything that a test has just written is old and
  /// settled.
  package static func clock(ahead seconds: Int64) -> Clock {
    Clock(
      now: {
        var now = Clock.system.now()
        now.seconds += seconds
        return now
      }, uptime: Clock.system.uptime)
  }
}
