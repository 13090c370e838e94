package import HoldfastConfiguration
package import HoldfastModel
package import HoldfastRepository

extension RepositoryContext {
  /// Returns the configuration of a source of the repository. It may call the source by any of its names: the present
  /// one goes first.
  package func configuration(of source: SourceName, in names: SourceNameStore) throws -> SourceSettings? {
    guard let settings = try machine.loader().load() else { return nil }
    let source = try names.source(source)
    // A source of another configured repository can have the same name.
    let own = settings.sources.filter { each in
      configured == nil || each.repository == configured?.name || settings.repository(each.repository) == nil
    }
    return try own.first { $0.name.text == source.text } ?? own.first { try names.source($0.name) == source }
  }

  /// Returns the configuration of a source before the repository is open. It is opened only for a name that the
  /// configuration does not have.
  package func configuration(of source: SourceName) throws -> SourceSettings? {
    guard let settings = try machine.loader().load() else { return nil }
    if let known = configuredSource ?? settings.source(source.text) { return known }
    guard !settings.sources.isEmpty else { return nil }
    return try configuration(of: source, in: openHome(for: source) { _ in }.repository.names)
  }
}
