internal import HoldfastArchive
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastSystem

/// A guess at the repository that an operator meant when there is none: a configured name, or a repository beside the
/// given path with a similar name.
struct LikelyRepository {
  /// Larger directories are not searched.
  private static let siblingsMax = 10_000
  private let named: String?
  private let machine: MachineContext

  /// - Parameter named: the text that the operator typed.
  init(_ named: String?, on machine: MachineContext) { (self.named, self.machine) = (named, machine) }

  /// The guess, as an operator would type it; `nil` when there is none.
  var name: String? {
    guard let named, !named.isEmpty else { return nil }
    let configured = (try? machine.loader().load())?.repositories.map(\.name) ?? []
    if !named.utf8.contains(Path.separator), let name = EditDistance.nearest(to: named, in: configured) { return name }
    return repositoryBeside(named)
  }

  private func repositoryBeside(_ named: String) -> String? {
    let files = machine.host.files
    var text = named
    while text.count > 1, text.hasSuffix("/") { text.removeLast() }
    guard let path = try? machine.environment.absolute(text), let parent = path.parent,
      let directory = try? files.open(parent.isEmpty ? Path("/") : parent, .directoryFollowingLinks),
      let listing = try? directory.listing(), listing.count <= Self.siblingsMax
    else { return nil }
    let name = String(decoding: path.lastComponent, as: UTF8.self)
    let names = (0..<listing.count).compactMap { String(validating: listing[$0], as: UTF8.self) }.filter {
      (try? files.statusIfPresent(of: parent.appending($0).appending(Keys.descriptor))) != nil
    }
    guard let nearest = EditDistance.nearest(to: name, in: names) else { return nil }
    return text.dropLast(name.count) + nearest
  }
}
