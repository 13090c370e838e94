package import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore

/// The names of the sources of a repository: which name is stored, and by which a source is called. Every name that
/// comes from outside, and every name that was read from the store, passes through here once.
package struct SourceNameStore: Sendable {
  /// The end of the name by which a source is called that is stored under a name of another one. Only a host that did
  /// not know of the rename can have begun it.
  package static let storedSuffix = ".stored"
  package let store: RevisionStore<SourceNames>

  /// Returns what can be read of it; `nil` if no source was ever renamed.
  /// - Throws: when the store does not answer.
  private func readable() throws -> SourceNames? { try store.reading().sound.last?.contents }

  /// The damage because of which names may be missing; `nil` if all could be read.
  package func problem() throws -> (any OperatorError)? { try store.reading().problem }

  /// Returns the source that somebody means by a name: the present one, an earlier one, or the one under which it is
  /// stored.
  /// - Parameter name: a name from outside; one that has passed through here stays as it is.
  package func source(_ name: SourceName) throws -> SourceName {
    guard !name.isResolved else { return name }
    let names = try readable()
    if let entry = names?.entry(of: name.text) { return SourceName(stored: entry.source, shown: entry.name) }
    if name.text.hasSuffix(Self.storedSuffix) {
      let stored = String(name.text.dropLast(Self.storedSuffix.count))
      if let stored = SourceName(stored), let entry = names?.entry(of: stored.text), entry.source != stored.text {
        return try source(stored: stored)
      }
    }
    return SourceName(stored: name.text, shown: name.text)
  }

  /// Returns the source that is stored under a name.
  package func source(stored name: SourceName) throws -> SourceName {
    guard !name.isResolved else { return name }
    let names = try readable()
    let shown =
      names?.entry(stored: name.text)?.name
      ?? (names?.entry(of: name.text) == nil ? name.text : name.text + Self.storedSuffix)
    return SourceName(stored: name.text, shown: shown)
  }

  /// True if a source is stored under a name of another one: a host began it that did not know of the rename.
  package func isAstray(_ source: SourceName) throws -> Bool {
    let names = try readable()
    return names?.entry(stored: source.key) == nil && names?.entry(of: source.key) != nil
  }

  /// Says what has become of a name that is no longer the present one; `nil` for a present name.
  package func renaming(of name: SourceName) throws -> String? {
    let source = try source(name)
    return source.text == name.text ? nil : "the source \(name) is called \(source) now"
  }

  /// Returns the source that is to be backed up under a name.
  /// - Throws: `EngineError` for a name that is not the present one; `DamageError` when not all names can be read, for
  ///   then a second history might begin under a name that belongs to another source.
  package func sourceToBackUp(_ name: SourceName) throws -> SourceName {
    if let problem = try problem() { throw problem }
    let source = try source(name)
    guard source.text != name.text else { return source }
    throw EngineError(
      .usage, "the source \(name) is called \(source) now: it was renamed",
      hint:
        "Write \(source) instead of \(name) in the configuration, in --name, and where `holdfast wal push` is called; then run `holdfast schedule install` again."
    )
  }

  /// Gives a source another name.
  /// - Parameters:
  ///   - source: the source, by any of its names.
  ///   - known: all sources that exist or have existed here or at another target, as far as this run knows them.
  /// - Returns: the source with its new name.
  /// - Throws: `EngineError` when the name belongs to another source, or when another run has renamed one meanwhile.
  package func rename(
    _ source: SourceName, to name: SourceName, among known: [SourceName], first: SourceNames
  ) throws -> SourceName {
    store.forget()
    let revisions = try store.revisions()
    let source = try self.source(source)
    var names = revisions.last?.contents ?? first
    guard source.text != name.text else {
      throw EngineError(
        .usage, "the source is called \(name) already", hint: "Run `holdfast source list` to see all names.")
    }
    if let other = names.entry(of: name.text), other.source != source.key {
      throw EngineError(
        .usage,
        "the name \(name) belongs to the source that is called \(other.name), and is not given to another one",
        hint: "Choose a name that no source has or had: `holdfast source list` shows them.")
    }
    if known.contains(where: { $0.key == name.text && $0 != source }) {
      throw EngineError(
        .usage, "there is, or was, another source \(name), and its name is not given again",
        hint: "Choose a name that no source has or had: `holdfast source list` shows them.")
    }
    guard names.rename(source.key, to: name.text) else { return source }
    try store.publish(names)
    return SourceName(stored: source.key, shown: name.text)
  }
}
