package import HoldfastArchive
package import HoldfastModel
internal import HoldfastStore

/// The names of the sources of a repository: which name is stored, and by which a source is called. Every name that
/// comes from outside, and every name that was read from the store, passes through here once.
package struct SourceNameStore: Sendable {
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
    if let stored = names?.astraySource(called: name.text).flatMap({ SourceName($0) }), try !hasObjects(name.text) {
      return try source(stored: stored)
    }
    return SourceName(stored: name.text, shown: name.text)
  }

  /// Returns the source that is stored under a name.
  package func source(stored name: SourceName) throws -> SourceName {
    guard !name.isResolved else { return name }
    let names = try readable()
    if let entry = names?.entry(stored: name.text) { return SourceName(stored: name.text, shown: entry.name) }
    guard let names, names.entry(of: name.text) != nil else { return SourceName(stored: name.text, shown: name.text) }
    let candidates = SourceNames.astrayNames(of: name.text)
    let free = try candidates.first { try names.entry(of: $0) == nil && !hasObjects($0) }
    return SourceName(stored: name.text, shown: free ?? candidates.last ?? name.text)
  }

  /// True if anything is stored under a name: then the name means that, whatever else is called so.
  private func hasObjects(_ text: String) throws -> Bool {
    guard let name = SourceName(text) else { return false }
    return try [Keys.source(name), Keys.wal(name)].contains { try !store.store.children(of: $0).isEmpty }
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
  /// - Throws: `EngineError` for a name that is not the present one or that nobody gave it, and when not all names can
  ///   be read, for then a second history might begin under a name that belongs to another source.
  package func sourceToBackUp(_ name: SourceName) throws -> SourceName {
    if let problem = try problem() { throw Self.unreadable(problem) }
    let source = try source(name)
    guard try !isAstray(source) else {
      throw EngineError(
        .usage, "the source \(source) was begun under a name of another one, and was not given its own yet",
        hint: "Run `holdfast source rename \(source) NEW`, with a name that no source has, and back it up under that.")
    }
    guard source.text != name.text else { return source }
    throw EngineError(
      .usage, "the source \(name) is called \(source) now: it was renamed",
      hint:
        "Write \(source) instead of \(name) in the configuration, in --name, and where `holdfast wal push` is called; then run `holdfast schedule install` again."
    )
  }

  /// Returns the source whose log is to be archived under a name.
  /// - Throws: `EngineError` when not all names can be read and nothing says that the name is the one of a source with
  ///   archived log, for then the log might be archived as that of another source.
  package func sourceToArchive(_ name: SourceName) throws -> SourceName {
    let source = try source(name)
    guard let problem = try problem(), try readable()?.entry(of: name.text) == nil,
      try store.store.children(of: Keys.wal(source)).isEmpty
    else { return source }
    throw Self.unreadable(problem)
  }

  /// Tells the way out. A newer format has another one.
  private static func unreadable(_ problem: any OperatorError) -> any OperatorError {
    guard problem is DamageError else { return problem }
    return EngineError(
      .repository, "not all names of sources can be read: \(problem.message)",
      hint:
        "Run `holdfast scrub --repair`, which brings them from another target. If there is none: docs/operations.md, \"The names of sources are damaged\".",
      exitStatus: problem.exitStatus)
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
    if names.entry(of: name.text) == nil, name.text != source.key { try Self.checkIsFree(name, names, known) }
    guard names.rename(source.key, to: name.text) else { return source }
    guard names.isWithinLimits else {
      throw EngineError(
        .usage, "the source \(source) gets no other name: there are as many names as a repository can have",
        hint: "`holdfast source list` shows them; one of its earlier names it can get back.")
    }
    try store.publish(names)
    return SourceName(stored: source.key, shown: name.text)
  }

  /// Checks that no source is, or will be, called by a new name but the one that gets it.
  private static func checkIsFree(_ name: SourceName, _ names: SourceNames, _ known: [SourceName]) throws {
    guard !name.text.hasSuffix(SourceNames.astraySuffix) else {
      throw EngineError(
        .usage, "no source is given a name that ends in \(SourceNames.astraySuffix)",
        hint: "So is called what a host begins that does not know of a rename. Choose another name.")
    }
    let astray = SourceNames.astrayNames(of: name.text)
    guard let other = astray.first(where: { text in names.entry(of: text) != nil || known.contains { $0.key == text } })
    else { return }
    throw EngineError(
      .usage, "there is, or was, a source \(other): so would be called what a host begins as \(name) by mistake",
      hint: "Choose another name than \(name).")
  }
}
