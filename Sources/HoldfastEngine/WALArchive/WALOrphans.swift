internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository

/// The objects of archived log that this machine found without a manifest or unfinished, and when it first did. A push
/// that this machine cannot see makes such objects too, and soon stores their manifests.
struct WALOrphans: MachineRecord {
  static let kind = "orphans"
  /// A push that is at work stores the manifest of an object sooner.
  static let patience = TimeSpan.minutes(10)
  private static let keysMax = 10_000

  var repository: Identifier?
  private var found: [String: MachineMoment] = [:]

  /// Remembers which objects have no manifest or are unfinished, and forgets others of the same directory.
  /// - Parameters:
  ///   - keys: all of them in the directory, unfinished ones by their names.
  ///   - prefix: the keys of the directory begin so.
  /// - Returns: those that were so at least as long ago as `patience`.
  mutating func update(_ keys: some Sequence<String>, below prefix: String, at now: MachineMoment) -> [String] {
    let known = found
    found = found.filter { !$0.key.hasPrefix(prefix) }
    var overdue: [String] = []
    for key in keys where found.count < Self.keysMax {
      let elapsed = known[key]?.elapsed(until: now)
      // Across a start of the machine nobody knows the time, so counting begins again.
      found[key] = elapsed == nil ? now : known[key]
      if let elapsed, elapsed >= Self.patience { overdue.append(key) }
    }
    return overdue
  }
}
