package import HoldfastModel
internal import HoldfastRepository
internal import HoldfastSystem

/// Keeps on this machine what the snapshots of repositories have changed, so that a question about a year of snapshots
/// need not read a year of bodies: one file for each source. Names of files are secret in a sealed repository, so
/// nothing of one is kept.
package struct ChangeCache: Sendable {
  private let directory: Path?
  private let bytesMax: UInt64

  /// - Parameters:
  ///   - directory: the directory of caches on this machine; `nil` for no cache.
  ///   - bytesMax: the maximum length of the file of one source. What does not fit is read from the repository.
  package init(directory: Path?, bytesMax: UInt64 = 128 << 20) {
    (self.directory, self.bytesMax) = (directory, bytesMax)
  }

  package static let none = ChangeCache(directory: nil)

  /// Returns the file of one source; `nil` if nothing of it is kept.
  func file(of source: SourceName, in repository: Repository) -> ChangeFile? {
    guard let directory, !repository.keyring.isSealed else { return nil }
    return ChangeFile(
      of: source, in: repository.id, directory: directory, files: repository.host.files, bytesMax: bytesMax)
  }
}
