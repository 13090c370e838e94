import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// An SFTP server keeps what every store promises (StoreConformance.swift).
@Suite(.timeLimit(.minutes(30))) struct SFTPConformanceTests {
  private let directory = TemporaryDirectory()

  private func store(_ command: String) -> SFTPStore { SFTPTest.store(directory.appending("new"), command) }

  @Test(.requires(.sftpServer), arguments: StoreConformance.allCases.filter(\.isOfSFTP))
  func openSSHsServerKeeps(_ promise: StoreConformance) throws {
    try promise.check(store(SFTPServerProgram.plain))
  }

  /// A server of version 3 and nothing else: names are given by RENAME, and only `isDurable` is not kept.
  @Test(
    .requires(.sftpServer),
    arguments: StoreConformance.allCases.filter { $0.isOfSFTP && $0 != .aTrialFindsWhatIsDeclared })
  func aServerWithoutExtensionsKeeps(_ promise: StoreConformance) throws {
    let program = SFTPServerProgram()
    try promise.check(store(program.command(.without(SFTPTest.extensions))))
  }

  /// The connection breaks at random, before or after a request was done: under the layer that tries again nothing is
  /// lost, and nothing is there twice.
  /// A trial that broke off may leave objects of its own below `probe/`.
  @Test(
    .requires(.sftpServer),
    arguments: StoreConformance.allCases.filter { $0.isOfSFTP && $0 != .aTrialFindsWhatIsDeclared })
  func aServerWhoseConnectionsBreakKeeps(_ promise: StoreConformance) throws {
    for seed in Trials.first(1, of: (UInt64(1)...3).shuffled()) {
      let program = SFTPServerProgram()
      let directory = TemporaryDirectory()
      let store = SFTPTest.store(directory.appending("new"), program.command(.unreliable(seed: seed)))
      do {
        try promise.check(RetryingStore(store, TimelessRetry().retrier()))
      } catch {
        Issue.record("seed \(seed): \(error)")
      }
    }
  }

  /// All of them on one server: each starts a connection of its own.
  @Test(.requires(.sshServer)) func aRealServerKeepsAllOfThem() throws {
    let server = try SSHServer()
    for promise in StoreConformance.allCases where promise.isOfSFTP {
      let directory = TemporaryDirectory()
      let store = SFTPTest.store(directory.appending("new"), server.command(), server)
      do {
        try promise.check(store)
      } catch {
        Issue.record("\(promise): \(error)")
      }
    }
  }

  /// By day one in three of them: it is the same server, and the layers keep theirs without it.
  @Test(.requires(.sshServer)) func theWholeStackOverARealServerKeepsAllOfThem() throws {
    let server = try SSHServer()
    let promises = StoreConformance.allCases.filter(\.isOfSFTP)
    for promise in Trials.places(promises.count, oneIn: 3).map({ promises[$0] }) {
      let directory = TemporaryDirectory()
      var options = OpeningOptions()
      options.sshCommand = server.command()
      options.isCached = { _ in true }
      let location = server.location(directory.appending("new"))
      do {
        try promise.check(StoreSchemes.builtIn.open(StoreLocation(location), SFTPTest.host(), options))
      } catch {
        Issue.record("\(promise): \(error)")
      }
    }
  }
}

extension StoreConformance {
  /// SFTP has no locks.
  var isOfSFTP: Bool {
    ![.aLockExcludesUntilItIsDropped, .aWaitForALockEndsWhenItIsFreed, .aWaitForALockEndsWithASignal].contains(self)
  }
}
