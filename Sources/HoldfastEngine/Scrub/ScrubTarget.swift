internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem

/// A target that a scrub reads. Its repository has the descriptor and the keyring that all targets must have.
struct ScrubTarget: Sendable {
  let name: String
  let repository: Repository
  let isHome: Bool
  /// True if it is scrubbed; other targets are only read for repairs.
  let isChosen: Bool

  var location: String { repository.location }

  /// True if it has no shards of containers, though others have: nothing of them can be damaged there.
  var isSpare: Bool { (repository.store as? ShardView).map { $0.member.position == nil } ?? false }

  /// Returns the bytes under a key; `nil` when nothing lies there, or when it is damaged.
  func soundBytes(_ key: String) throws -> [UInt8]? {
    do { return try bytes(key) } catch is DamageError { return nil }
  }

  /// Returns the bytes under a key; `nil` when nothing lies there.
  /// - Throws: `DamageError` when it is damaged.
  func bytes(_ key: String) throws -> [UInt8]? {
    do {
      return try repository.store.objectAnew(key).contents(max: Limits.envelopeBytesMax)
    } catch StoreError.notFound {
      return nil
    }
  }
}

/// A repository that is read from all its targets. The target that is repaired comes last.
struct JoinedTargets: Sendable {
  let repository: Repository
  private let outcomes: TargetOutcomes?
  private let shards: ShardSet?

  init(_ targets: [ScrubTarget], last target: ScrubTarget, _ reference: Repository) {
    let view = target.repository.store as? ShardView
    shards = view?.shardSet
    if let view {
      let store = view.shardSet.logical(over: view.base, avoiding: Set([view.member.position].compactMap(\.self)))
      (repository, outcomes) = (reference.at(store), nil)
      return
    }
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

  /// True if the target that is repaired is the only one.
  var isAlone: Bool { outcomes == nil && shards == nil }

  /// True if a target did not answer. It may have objects that the others do not have.
  var hasUnanswered: Bool {
    if let shards { return shards.hasUnanswered }
    return outcomes?.all.contains { $0.badAnswers.contains { $0.cause.isTransient } } ?? false
  }
}

/// An object that a target does not have as it must.
struct ScrubFault: Sendable {
  enum Demand: Sendable {
    /// An object whose digest is in a manifest.
    case container(ContainerCopy.Item)
    /// A small object that is signed or has its own digest, with the sound bytes of another target; `nil` when no other
    /// target has it sound. `isSound` returns true if bytes under its key are sound, even if others than these.
    case small([UInt8]?, isSound: @Sendable ([UInt8]) -> Bool)
  }

  let damage: DamageError
  let demand: Demand
  /// True if nothing lies under the key.
  var isMissing = false
  /// The key of the manifest of archived log that demands the object. If that manifest is gone, nothing is missing.
  var demander: String?
  /// The keys of the objects that must be there before a missing manifest; empty for other objects.
  var needs: [String] = []

  var key: String { damage.object }
}
