import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// A server that replaces objects is used only where the operator has said that one machine writes.
@Suite(.timeLimit(.minutes(30)), .requires(.rclone)) struct SingleWriterTests {
  @Test func aServerThatReplacesObjectsIsRefused() {
    let server = RcloneServer()
    let store = server.store(isSingleWriter: false)
    defer { withExtendedLifetime(server) {} }
    let error = #expect(throws: S3Error.self) { try store.probe(.system) }
    #expect(error == .replacesObjects(location: store.location))
    #expect(
      error?.description == """
        \(store.location) replaces objects that are there, though it was asked not to: two machines could replace each other's snapshots
        HINT: If only one machine writes there, say `single-writer: yes` in the configuration, or HOLDFAST_SINGLE_WRITER=yes; else take another server.
        """)
    #expect(error?.exitStatus == .usage)
  }

  /// Nothing of it is refused, and nothing fails again and again: a call that does ends after two minutes.
  @Test func aSingleWriterHasWhatEveryStorePromises() {
    let server = RcloneServer()
    let time = TimelessRetry()
    for promise in StoreConformance.allCases where promise != .aTrialFindsWhatIsDeclared {
      do {
        try promise.check(RetryingStore(server.store(isSingleWriter: true), time.retrier()))
      } catch {
        Issue.record(error)
      }
    }
    #expect(time.waited == .zero)
  }

  @Test func aTrialFindsThatTwoWritersCouldReplaceEachOthersObjects() throws {
    let server = RcloneServer()
    defer { withExtendedLifetime(server) {} }
    let store = server.store(isSingleWriter: true)
    // When both arrive at the same moment, rclone may fail for now.
    let probe = try RetryingStore(store, TimelessRetry().retrier()).probe(.system)
    #expect(probe.capabilities == store.capabilities)
    #expect(
      probe.weaknesses == [
        "\(store.location) replaces objects that are there: of two machines that commit at the same moment one may replace what the other has just committed; let only one write there"
      ])
    #expect(try store.names(below: "") == [])
  }
}
