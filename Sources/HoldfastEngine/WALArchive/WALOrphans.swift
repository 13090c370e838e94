internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository

/// The objects of archived log that this machine found without a manifest or unfinished, each with the time when it was
/// first found. A push that this machine cannot see makes such objects too, and soon stores their manifests.
struct WALOrphans: MachineRecord {
  static let kind = "orphans"
  /// The time after which an object is taken for a leftover. A running push stores the manifest of an object sooner.
  static let patience = TimeSpan.minutes(10)
  private static let keysMax = 10_000

  var repository: Identifier?
  private var found: [String: MachineMoment] = [:]

  /// Remembers the objects that have no manifest or are unfinished, and forgets others of the same directory.
  /// - Parameters:
  ///   - keys: the keys of all such objects in the directory; the names of unfinished ones.
  ///   - prefix: the beginning of all keys in the directory.
  /// - Returns: the keys that were found at least `patience` ago.
  mutating func update(_ keys: some Sequence<String>, below prefix: String, at now: MachineMoment) -> [String] {
    let known = found
    found = found.filter { !$0.key.hasPrefix(prefix) }
    var overdue: [String] = []
    for key in keys where found.count < Self.keysMax {
      let elapsed = known[key]?.elapsed(until: now)
      // Times before a start of the machine cannot be compared, so that counting begins again.
      found[key] = elapsed == nil ? now : known[key]
      if let elapsed, elapsed >= Self.patience { overdue.append(key) }
    }
    return overdue
  }
}
