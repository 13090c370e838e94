internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// A target that a scrub reads, with the descriptor and the keyring that all targets must have.
struct ScrubTarget: Sendable {
  let name: String
  let repository: Repository
  let isHome: Bool
  /// Whether it is scrubbed; others only give what is replaced.
  let isChosen: Bool

  var location: String { repository.location }

  /// The same; `nil` also when it cannot be read.
  func soundBytes(_ key: String) throws -> [UInt8]? {
    do { return try bytes(key) } catch is DamageError { return nil }
  }

  /// What lies under a key; `nil` when nothing does.
  /// - Throws: `DamageError` when it cannot be read.
  func bytes(_ key: String) throws -> [UInt8]? {
    do {
      return try repository.store.objectAnew(key).contents(max: Limits.envelopeBytesMax)
    } catch StoreError.notFound {
      return nil
    }
  }
}

/// A repository that is read from all its targets, the one that is repaired last.
struct JoinedTargets: Sendable {
  let repository: Repository
  private let outcomes: TargetOutcomes?

  init(_ targets: [ScrubTarget], last target: ScrubTarget, _ reference: Repository) {
    let members = (targets.filter { $0.name != target.name } + [target]).map {
      Target(name: $0.name, store: $0.repository.store)
    }
    guard let first = members.first, members.count > 1 else {
      (repository, outcomes) = (target.repository, nil)
      return
    }
    let store = TargetStore(
      home: first, others: Array(members.dropFirst()), gate: nil, folder: { Keys.targetFolder($0) })
    (repository, outcomes) = (reference.at(store), store.outcomes)
  }

  /// Whether a target did not answer. It may have what the others have not.
  var hasUnanswered: Bool { outcomes?.all.contains { $0.badAnswers.contains { $0.cause.isTransient } } ?? false }
}

/// What a target has not as it must.
struct ScrubFault: Sendable {
  enum Demand: Sendable {
    /// Its digest stands in a manifest.
    case container(ContainerCopy.Item)
    /// It is small and signed, or has a digest of its own: the bytes that another target has, `nil` when none has them
    /// sound.
    case small([UInt8]?)
  }

  let damage: DamageError
  let demand: Demand
  /// Whether nothing lies under the key.
  var isMissing = false
  /// The key of the manifest of archived log that demands it; when that has gone, nothing does.
  var demander: String?
  /// For a manifest that is missing: the keys of the objects that must be there before it.
  var needs: [String] = []

  var key: String { damage.object }
}
