package import HoldfastArchive
internal import HoldfastModel
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// The open archives of a chain. As many of the last ones are kept as there is memory for their indexes. For all
/// threads.
package final class ArchiveReaders: Sendable {
  private static let keptMax = 32
  private static let indexBytesMax = 48 << 20
  /// The maximum number of requests that are announced beyond the one whose bytes are being read.
  private static let requestsAheadMax = 8
  /// The maximum number of bytes of archives that are opened at once, beyond the first: no index is longer than its
  /// archive.
  private static let openedBytesMax: UInt64 = 16 << 20

  private struct State {
    var kept: [(number: UInt64, reader: ContainerReader)] = []
    /// The archives that will be read, ascending.
    var expected: [UInt64] = []
    /// The next of them, which is being opened while the one before it is read.
    var coming: (number: UInt64, reader: Future<ContainerReader>)?

    var indexBytes: Int { kept.reduce(0) { $0 + $1.reader.frames.byteCount } }

    /// - Returns: `nil` when that archive is not being opened, or could not be opened.
    mutating func takeComing(_ number: UInt64) -> ContainerReader? {
      guard let coming, coming.number == number else { return nil }
      self.coming = nil
      return try? coming.reader.value()
    }
  }

  private let containers: ContainerStore
  private let source: SourceName
  private let chain: Chain
  private let state = Mutex(State())

  /// - Parameter earlier: the readers of another chain. Archives that both chains have stay open.
  package init(_ chain: Chain, in containers: ContainerStore, after earlier: ArchiveReaders? = nil) {
    self.containers = containers
    source = chain.tip.sourceName
    self.chain = chain
    guard let earlier, earlier.containers.isClosed == containers.isClosed else { return }
    let kept = earlier.state.withLock { $0.kept }.filter {
      chain.archive($0.number) == earlier.chain.archive($0.number)
    }
    state.withLock { $0.kept = kept }
  }

  /// The number of requests for frames that should be announced beyond the current one; 0 if reading has no latency.
  var requestsAhead: Int { containers.isNear ? 0 : min(containers.store.connections, Self.requestsAheadMax) }

  /// Announces the archives that will be read. If reading has latency, several of them are opened at once.
  /// - Parameter archives: ascending.
  package func expect(_ archives: [UInt64]) {
    guard requestsAhead > 0 else { return }
    state.withLock { state in
      state.expected = archives
      guard let first = archives.first(where: { number in !state.kept.contains { $0.number == number } }) else {
        return
      }
      beginNext(from: first, in: &state)
    }
  }

  /// Begins to open the first archive of the chain if reading has latency. An archive that may have to be thawed is not
  /// opened before the operator was told.
  package func openAhead() {
    guard requestsAhead > 0, let first = chain.archives.first else { return }
    if case .cold = containers.store.listed(Keys.archive(source, first.sequence, first.id)) { return }
    state.withLock { begin(first, in: &$0) }
  }

  private func begin(_ archive: Envelope.Archive, in state: inout State) {
    let reader = containers.store.meanwhile { [containers, source] in
      try containers.openArchive(archive, of: source)
    }
    state.coming = (archive.number, reader)
  }

  /// Begins to open the next expected archive, if the indexes in memory leave room for its index.
  private func beginNext(from number: UInt64, in state: inout State) {
    guard requestsAhead > 0, state.indexBytes <= Self.indexBytesMax / 4,
      let next = state.expected.first(where: { $0 >= number }), state.coming?.number != next,
      !state.kept.contains(where: { $0.number == next }), let archive = chain.archive(next)
    else { return }
    begin(archive, in: &state)
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
      // They are dropped before another one is read, because together they would be too large.
      while state.indexBytes > Self.indexBytesMax { state.kept.removeFirst() }
      var found = state.takeComing(number)
      let wanted = (found == nil && !others.isEmpty ? [archive] : []) + others
      for (wanted, reader) in zip(wanted, try open(wanted)) {
        if wanted.number == number {
          found = reader
        } else if let reader {
          state.kept.append((wanted.number, reader))
        }
      }
      let reader = try found ?? containers.openArchive(archive, of: source)
      state.kept.append((number, reader))
      beginNext(from: number + 1, in: &state)
      return reader
    }
  }

  /// Returns the archives that are opened together with another one: the next expected ones, as long as they are short.
  private func others(with number: UInt64, in state: State) -> [Envelope.Archive] {
    var bytes: UInt64 = 0
    var others: [Envelope.Archive] = []
    for next in state.expected.drop(while: { $0 <= number }).prefix(requestsAhead) {
      guard let archive = chain.archive(next) else { break }
      bytes = bytes.saturatingAdding(archive.length)
      guard bytes <= Self.openedBytesMax else { break }
      if !state.kept.contains(where: { $0.number == next }), state.coming?.number != next { others.append(archive) }
    }
    return others
  }

  /// - Returns: `nil` for each archive that cannot be opened: the code that reads it gets the error.
  private func open(_ archives: [Envelope.Archive]) throws -> [ContainerReader?] {
    let opened = Mutex([ContainerReader?](repeating: nil, count: archives.count))
    try SideBySide.run(archives.count, threads: archives.count) { [containers, source] index in
      guard let reader = try? containers.openArchive(archives[index], of: source) else { return }
      opened.withLock { $0[index] = reader }
    }
    return opened.withLock { $0 }
  }
}
