internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastSystem

extension RepositoryOptions {
  /// Directories with more entries than this are not searched.
  private static let siblingsMax = 10_000

  /// What was probably meant where there is no repository: a configured name, or a repository beside the place that was named, which is spelled nearly the same;
  /// `nil` where there is none.
  func likelyRepository(_ host: Host) -> String? {
    guard let named = repository ?? Environment.value("HOLDFAST_REPOSITORY"), !named.isEmpty else { return nil }
    let configured = (try? SiteConfiguration.loader(host, named: config).load())?.repositories.map(\.name) ?? []
    if !named.utf8.contains(Path.separator), let name = EditDistance.nearest(to: named, in: configured) { return name }
    return repositoryBeside(named, host)
  }

  private func repositoryBeside(_ named: String, _ host: Host) -> String? {
    var text = named
    while text.count > 1, text.hasSuffix("/") { text.removeLast() }
    guard let path = try? Environment.absolute(text), let parent = path.parent,
      let directory = try? host.files.open(parent.isEmpty ? Path("/") : parent, .directoryFollowingLinks),
      let listing = try? directory.listing(), listing.count <= Self.siblingsMax
    else { return nil }
    let name = String(decoding: path.lastComponent, as: UTF8.self)
    let names = (0..<listing.count).compactMap { String(validating: listing[$0], as: UTF8.self) }.filter {
      (try? host.files.statusIfPresent(of: parent.appending($0).appending(Keys.descriptor))) != nil
    }
    guard let nearest = EditDistance.nearest(to: name, in: names) else { return nil }
    return text.dropLast(name.count) + nearest
  }
}
