package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The open archives of a chain. The last few are kept, as many as there is memory for their indexes. For all threads.
package final class ArchiveReaders: Sendable {
  private static let keptMax = 32
  private static let indexBytesMax = 48 << 20
  /// The most requests that are announced beyond the one whose bytes are being read.
  private static let requestsAheadMax = 8
  /// The most bytes of archives that are opened at once, beyond the first: no index is longer than its archive.
  private static let openedBytesMax: UInt64 = 16 << 20

  private struct State {
    var kept: [(number: UInt64, reader: ContainerReader)] = []
    /// The archives that will be read, ascending.
    var expected: [UInt64] = []
  }

  private let containers: ContainerStore
  private let source: SourceName
  private let chain: Chain
  private let state = Mutex(State())

  package init(_ chain: Chain, in containers: ContainerStore) {
    self.containers = containers
    source = chain.tip.sourceName
    self.chain = chain
  }

  /// How many requests for frames should be announced beyond the current one; 0 where reading has no latency.
  var requestsAhead: Int { containers.isNear ? 0 : min(containers.store.connections, Self.requestsAheadMax) }

  /// Announces which archives will be read. Where reading has latency, several of them are opened at once.
  /// - Parameter archives: ascending.
  package func expect(_ archives: [UInt64]) {
    if requestsAhead > 0 { state.withLock { $0.expected = archives } }
  }

  /// - Throws: `DamageError` when the archive is missing, or is not what its envelope says.
  package func reader(_ number: UInt64) throws -> ContainerReader {
    try state.withLock { state in
      if let index = state.kept.lastIndex(where: { $0.number == number }) {
        let found = state.kept.remove(at: index)
        state.kept.append(found)
        return found.reader
      }
      guard let archive = chain.archive(number) else {
        throw DamageError("the chain of \(source)", "it refers to archive \(number), which it does not have")
      }
      let others = others(with: number, in: state)
      if state.kept.count > Self.keptMax - 1 - others.count {
        state.kept.removeFirst(state.kept.count - (Self.keptMax - 1 - others.count))
      }
      // Dropped before another one is read: together they would be too large.
      while state.kept.reduce(0, { $0 + $1.reader.frames.byteCount }) > Self.indexBytesMax { state.kept.removeFirst() }
      let opened = try open([archive] + others)
      for (archive, reader) in zip([archive] + others, opened).dropFirst() {
        if let reader { state.kept.append((archive.number, reader)) }
      }
      let reader = try opened[0] ?? containers.openArchive(archive, of: source)
      state.kept.append((number, reader))
      return reader
    }
  }

  /// The archives that are opened together with another one: the next that are expected, as long as they are short.
  private func others(with number: UInt64, in state: State) -> [Envelope.Archive] {
    var bytes: UInt64 = 0
    var others: [Envelope.Archive] = []
    for next in state.expected.drop(while: { $0 <= number }).prefix(requestsAhead) {
      guard let archive = chain.archive(next) else { break }
      bytes = bytes.saturatingAdding(archive.length)
      guard bytes <= Self.openedBytesMax else { break }
      if !state.kept.contains(where: { $0.number == next }) { others.append(archive) }
    }
    return others
  }

  /// - Returns: `nil` for each archive that cannot be opened: whoever reads it gets the error.
  private func open(_ archives: [Envelope.Archive]) throws -> [ContainerReader?] {
    if archives.count == 1 { return [try containers.openArchive(archives[0], of: source)] }
    let opened = Mutex([ContainerReader?](repeating: nil, count: archives.count))
    try SideBySide.run(archives.count, threads: archives.count) { [containers, source] index in
      guard let reader = try? containers.openArchive(archives[index], of: source) else { return }
      opened.withLock { $0[index] = reader }
    }
    return opened.withLock { $0 }
  }
}
