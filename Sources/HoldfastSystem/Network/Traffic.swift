internal import Synchronization

/// Counts requests and bytes on a network. They cost money at many providers.
package final class Traffic: Sendable {
  /// The counts so far.
  package struct Counts: Sendable, Equatable {
    package let requests: UInt64
    /// The bytes of bodies, without headers.
    package let bytesSent: UInt64
    package let bytesReceived: UInt64
  }

  private let requests = Atomic<UInt64>(0)
  private let sent = Atomic<UInt64>(0)
  private let received = Atomic<UInt64>(0)

  package init() {}

  package var counts: Counts {
    Counts(
      requests: requests.load(ordering: .relaxed), bytesSent: sent.load(ordering: .relaxed),
      bytesReceived: received.load(ordering: .relaxed))
  }

  /// Counts a request that is sent.
  package func countRequest(bytes: Int) {
    requests.wrappingAdd(1, ordering: .relaxed)
    sent.wrappingAdd(UInt64(bytes), ordering: .relaxed)
  }

  /// Counts an answer.
  package func countAnswer(bytes: Int) { received.wrappingAdd(UInt64(bytes), ordering: .relaxed) }
}
