internal import HoldfastModel
internal import HoldfastSystem

/// The turns of the syncs of one run that bring snapshots home. Each needs home's lease on the source, and the next one
/// finds what the one before has brought.
package final class ReturnTurns: Sendable {
  private let taken = Monitor<Set<SourceName>>([])

  package init() {}

  /// Waits until no other sync brings snapshots of the source home.
  /// - Throws: `Interrupted` after a signal.
  func begin(_ source: SourceName, unless cancellation: Cancellation) throws {
    while try taken.wait(.seconds(60), unless: cancellation, until: { $0.insert(source).inserted ? true : nil }) == nil
    {}
  }

  func end(_ source: SourceName) { taken.withLock { _ = $0.remove(source) } }
}
