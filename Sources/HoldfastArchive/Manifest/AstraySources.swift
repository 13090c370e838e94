internal import HoldfastCodec
internal import HoldfastModel

/// The names of sources that are stored under a name of another one: a host began them that did not know of the rename.
extension SourceNames {
  /// The end of such a name.
  package static let astraySuffix = ".stored"
  /// The bytes that are left of a name with a digest.
  private static let keptBytes = 48
  /// The digits of the digest.
  private static let digits = 8

  /// Returns the names by which such a source may be called. The first holds, unless a source is stored under it.
  /// - Parameter stored: the name under which it is stored.
  package static func astrayNames(of stored: String) -> [String] {
    let digest = Hasher.digest(Array(stored.utf8)).description.prefix(digits)
    let short = stored + astraySuffix
    let cut = "\(stored.prefix(keptBytes)).\(digest)\(astraySuffix)"
    return SourceName(short) == nil ? [cut] : [short, cut]
  }

  /// Returns the name under which the source is stored that may be called by one of those names; `nil` for any other
  /// name.
  package func astraySource(called name: String) -> String? {
    guard name.hasSuffix(Self.astraySuffix) else { return nil }
    let given = sources.lazy.flatMap { entry in (entry.earlier + [entry.name]).filter { $0 != entry.source } }
    return given.first { Self.astrayNames(of: $0).contains(name) }
  }
}
