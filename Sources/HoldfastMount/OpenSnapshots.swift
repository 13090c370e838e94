internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import Synchronization

/// The snapshots whose states are there: those that were used last. Another one is replayed when it is asked for.
final class OpenSnapshots: Sendable {
  private static let keptMax = 4

  /// A place for one snapshot, so that two threads do not replay it twice.
  private final class Place: Sendable {
    let number: UInt32
    let opened = Mutex<OpenSnapshot?>(nil)
    init(_ number: UInt32) { self.number = number }
  }

  private let repository: Repository
  /// The place that was used last is at the end.
  private let places = Mutex<[Place]>([])

  init(in repository: Repository) { self.repository = repository }

  /// Returns a snapshot, which waits for a replay if it was not used lately.
  /// - Throws: `DamageError` if it is damaged; `Refusal` if it is gone.
  func open(_ snapshot: MountedSnapshot) throws -> OpenSnapshot {
    try place(snapshot.number).opened.withLock { opened in
      if let opened { return opened }
      let (name, sequence) = (snapshot.outline.source, snapshot.outline.sequence)
      guard let found = try repository.catalog.snapshotIfCommitted(name, sequence), found.id == snapshot.outline.id
      else { throw Refusal.noEntry }
      let made = try OpenSnapshot(found, in: repository)
      opened = made
      return made
    }
  }

  /// Returns a snapshot if it was used lately.
  func openedLately(_ number: UInt32) -> OpenSnapshot? {
    let place = places.withLock { $0.first { $0.number == number } }
    return place?.opened.withLock { $0 }
  }

  private func place(_ number: UInt32) -> Place {
    places.withLock { places in
      if let index = places.firstIndex(where: { $0.number == number }) {
        places.append(places.remove(at: index))
      } else {
        if places.count == Self.keptMax { places.removeFirst() }
        places.append(Place(number))
      }
      return places[places.count - 1]
    }
  }
}
