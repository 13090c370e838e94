package import HoldfastArchive
internal import HoldfastModel
internal import Synchronization

/// The open archives of a chain. The last few are kept, as many as there is memory for their indexes. For all threads.
package final class ArchiveReaders: Sendable {
  private static let keptMax = 32
  private static let indexBytesMax = 48 << 20
  private let containers: ContainerStore
  private let source: SourceName
  private let chain: Chain
  private let kept = Mutex<[(number: UInt64, reader: ContainerReader)]>([])

  package init(_ chain: Chain, in containers: ContainerStore) {
    self.containers = containers
    source = chain.tip.sourceName
    self.chain = chain
  }

  /// Whether it helps to announce what will be read.
  var isFarAway: Bool { !containers.isNear }

  /// - Throws: `DamageError` when the archive is missing, or is not what its envelope says.
  package func reader(_ number: UInt64) throws -> ContainerReader {
    try kept.withLock { kept in
      if let index = kept.lastIndex(where: { $0.number == number }) {
        let found = kept.remove(at: index)
        kept.append(found)
        return found.reader
      }
      guard let archive = chain.archive(number) else {
        throw DamageError("the chain of \(source)", "it refers to archive \(number), which it does not have")
      }
      if kept.count >= Self.keptMax { kept.removeFirst() }
      // Dropped before another one is read: together they would be too large.
      while kept.reduce(0, { $0 + $1.reader.frames.byteCount }) > Self.indexBytesMax { kept.removeFirst() }
      let reader = try containers.openArchive(archive, of: source)
      kept.append((number, reader))
      return reader
    }
  }
}
