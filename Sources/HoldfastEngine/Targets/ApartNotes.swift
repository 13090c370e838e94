internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository

/// The revisions of the notes on a source that one place has and the other does not, and what the newest says anew.
package struct ApartNotes: Equatable, Sendable {
  package let location: String
  /// The keys of the revisions, in ascending order.
  package let keys: [String]
  /// The changes since the newest revision that both places have: `removes 1a2b3c4d; pins 5e6f7a8b`.
  package let changes: String

  package init(location: String, keys: [String], changes: String) {
    (self.location, self.keys, self.changes) = (location, keys, changes)
  }

  /// - Parameters:
  ///   - revisions: the numbers, in ascending order; at least one.
  ///   - common: the newest revision that both places have; 0 when there is none.
  init(_ revisions: [UInt64], since common: UInt64, of source: SourceName, in repository: Repository) {
    func notes(_ number: UInt64?) -> SourceNotes? {
      number.flatMap { try? repository.notes.revision($0, of: source).notes }
    }
    self.init(
      location: repository.location, keys: revisions.map { Keys.notes(source, $0) },
      changes: notes(revisions.last).map { Self.changes(from: notes(common), to: $0) } ?? "cannot be read")
  }

  var text: String { "\(keys.last ?? "") in \(location) \(changes)" }

  /// The directories of the revisions.
  var folders: String { keys.map { String($0.dropLast("/notes.json".count)) }.joined(separator: ", ") }

  private static let namedMax = 3

  private static func changes(from old: SourceNotes?, to new: SourceNotes) -> String {
    let before = Dictionary((old?.notes ?? []).map { ($0.snapshot, $0) }) { $1 }
    let after = Dictionary(new.notes.map { ($0.snapshot, $0) }) { $1 }
    let all = ((old?.notes ?? []) + new.notes).sorted { $0.sequence < $1.sequence }.map(\.snapshot)
    var seen: Set<Identifier> = []
    var found: [String: [Identifier]] = [:]
    for id in all where seen.insert(id).inserted {
      for verb in verbs(from: before[id], to: after[id]) { found[verb, default: []].append(id) }
    }
    let parts = found.sorted { $0.key < $1.key }.map { "\($0.key) \(names($0.value))" }
    return parts.isEmpty ? "says nothing else" : parts.joined(separator: ", ")
  }

  private static func verbs(from old: SourceNotes.Note?, to new: SourceNotes.Note?) -> [String] {
    var verbs: [String] = []
    if old?.removed == nil, new?.removed != nil { verbs.append("removes") }
    if old?.removed != nil, new?.removed == nil { verbs.append(new == nil ? "forgets" : "calls back") }
    if old?.removed?.isCollected == false, new?.removed?.isCollected == true { verbs.append("collects") }
    if old?.removedAt != new?.removedAt { verbs.append("removes at single targets") }
    if old?.pinned != new?.pinned { verbs.append(new?.pinned == nil ? "unpins" : "pins") }
    if old?.tags ?? [] != new?.tags ?? [] { verbs.append("tags") }
    if old?.accepted != new?.accepted { verbs.append("accepts") }
    if old?.damaged == nil, new?.damaged != nil { verbs.append("finds damage in") }
    return verbs
  }

  private static func names(_ ids: [Identifier]) -> String {
    let names = ids.prefix(namedMax).map(\.short).joined(separator: ", ")
    return ids.count > namedMax ? "\(names) and \(ids.count - namedMax) more" : names
  }
}
