internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore

/// The comparison of one target with the others in what is said in revisions.
struct RevisionComparison {
  var faults: [ScrubFault] = []
  /// True if home has a newer revision. A sync copies it.
  var isBehind = false
  /// The reason why an operator must decide which revisions are right, or why they could not be read.
  var failure: (any OperatorError)?
}

/// Compares the list of targets, or the names of sources, as all targets of a repository have them. Each revision is
/// taken from the first target that has it sound.
struct ScrubRevisions<Contents: RevisedManifest> {
  private typealias Revisions = [UInt64: Result<[UInt8], DamageError>]

  /// The sound revisions, from the first on, with their bytes.
  private var history: [(revision: SignedRevision<Contents>, bytes: [UInt8])] = []
  /// The comparisons, one for each target.
  private(set) var comparisons: [RevisionComparison]

  /// - Parameter targets: home first.
  /// - Throws: a signal.
  init(_ targets: [ScrubTarget], _ reference: RevisionStore<Contents>) throws {
    comparisons = targets.map { _ in RevisionComparison() }
    var read: [Revisions] = []
    for (index, target) in targets.enumerated() {
      do {
        read.append(try Self.revisions(at: target))
      } catch let signal as Interrupted {
        throw signal
      } catch {
        comparisons[index].failure = describe(error)
        read.append([:])
      }
    }
    findHistory(targets, read, reference)
    let home = targets.firstIndex(where: \.isHome).flatMap {
      comparisons[$0].failure == nil ? $0 : nil
    }
    let newest = home.map { read[$0].keys.max() ?? 0 }
    for (index, target) in targets.enumerated() where comparisons[index].failure == nil {
      let last = read[index].keys.max() ?? 0
      if let newest, let home, last > newest {
        comparisons[index].failure = TargetError.newer(
          Contents.self, revision: newest + 1, target: target.location, home: targets[home].location)
        continue
      }
      comparisons[index].isBehind = last < newest ?? 0
      comparisons[index].faults = faults(read[index], reference)
    }
  }

  /// Returns the bytes of all revisions that a target lists.
  private static func revisions(at target: ScrubTarget) throws -> Revisions {
    let names = Set(try target.repository.store.children(of: Contents.folder))
    var revisions: Revisions = [:]
    for number in 1...min(UInt64(names.count) + 1, Limits.revisionsMax) {
      let key = Contents.key(number)
      guard names.contains(String(key.dropFirst(Contents.folder.count))) else { continue }
      do {
        if let bytes = try target.bytes(key) { revisions[number] = .success(bytes) }
      } catch let damage as DamageError {
        revisions[number] = .failure(damage)
      }
    }
    return revisions
  }

  /// Takes each revision from the first target that has it sound. Another target with another sound one has a fork.
  private mutating func findHistory(
    _ targets: [ScrubTarget], _ read: [Revisions], _ lists: RevisionStore<Contents>
  ) {
    let newest = read.compactMap { $0.keys.max() }.max() ?? 0
    for number in stride(from: 1, through: newest, by: 1) {
      let previous = history.last?.revision
      var first: Int?
      for (index, revisions) in read.enumerated() where comparisons[index].failure == nil {
        guard case .success(let bytes)? = revisions[number],
          let found = try? lists.revision(bytes, after: previous)
        else { continue }
        if let first {
          guard history.last?.bytes != bytes else { continue }
          comparisons[index].failure = TargetError.forked(
            Contents.self, revision: number, target: targets[index].location, home: targets[first].location)
        } else {
          first = index
          history.append((found, bytes))
        }
      }
      guard first != nil else { return }
    }
  }

  /// Returns the revisions that are damaged, or missing although newer ones are there.
  private func faults(_ revisions: Revisions, _ lists: RevisionStore<Contents>) -> [ScrubFault] {
    stride(from: 1, through: revisions.keys.max() ?? 0, by: 1).compactMap { number in
      let key = Contents.key(number)
      let right = number <= UInt64(history.count) ? history[Int(number) - 1].bytes : nil
      let previous =
        number > 1 && number <= UInt64(history.count) + 1 ? history[Int(number) - 2].revision : nil
      let demand = ScrubFault.Demand.small(right) {
        (try? lists.revision($0, after: previous)) != nil
      }
      switch revisions[number] {
      case nil:
        return ScrubFault(
          damage: DamageError(key, "it is missing, and newer ones are there"), demand: demand,
          isMissing: true)
      case .failure(let damage):
        return ScrubFault(damage: DamageError(key, damage.finding), demand: demand)
      case .success(let bytes) where bytes == right: return nil
      case .success(let bytes):
        do {
          _ = try lists.revision(bytes, after: previous)
          return ScrubFault(
            damage: DamageError(key, "it is not the one that other targets have"), demand: demand)
        } catch {
          let finding = (error as? DamageError)?.finding ?? "it cannot be read"
          return ScrubFault(damage: DamageError(key, finding), demand: demand)
        }
      }
    }
  }

}

extension ScrubRevisions<TargetList> {
  /// Returns the numbers that a target gives to snapshots and to revisions of notes, by the newest sound revision;
  /// those of home if the list does not have the target.
  func ownNumbers(of name: String) -> OwnNumbers {
    guard let list = history.last?.revision.list,
      let member = list.member(name) ?? list.member(list.home)
    else {
      return .all
    }
    return list.ownNumbers(of: member)
  }
}
