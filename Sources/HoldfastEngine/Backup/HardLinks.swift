internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// The files with several names. A file is captured under the first name that the walk meets, and as hard links under
/// the others. If that first name does not lead to the file any more when its turn comes, another name takes its place.
/// The walk, the opening of files and the record of results share it, on one thread.
final class HardLinks {
  /// The way to capture a hard link when its turn comes.
  enum Resolution {
    /// As it is: its first name still leads to the file that the scan saw. Also for entries that are no hard links.
    case sound
    /// As the file itself, because its first name is lost. It becomes the first name for the links after it.
    case inherits(from: Path)
    /// As a link to `to`, which has replaced its lost first name.
    case leads(to: Path)
  }

  private struct LinkedFile {
    let first: Path
    var namesToCome: UInt64
  }

  private struct Key: Hashable {
    let device: UInt64
    let inode: UInt64
  }

  private let root: OpenFile
  private let files: FileSystem
  /// The files of which the walk has not met all names yet.
  private var linked: [Key: LinkedFile] = [:]
  /// The lost first names, each with the name that replaces it; `nil` as long as none does.
  private var lost: [Path: Path?] = [:]

  init(root: OpenFile, files: FileSystem) {
    (self.root, self.files) = (root, files)
  }

  /// Returns the first name of a file if the item is another name of it; `nil` if the item is the first name.
  func otherName(of item: ScannedItem) -> Path? {
    guard item.status.kind == .file, item.status.linkCount > 1 else { return nil }
    let key = Key(device: item.status.device, inode: item.status.inode)
    if var file = linked[key] {
      file.namesToCome -= 1
      linked[key] = file.namesToCome == 0 ? nil : file
      return file.first
    }
    linked[key] = LinkedFile(first: item.path, namesToCome: item.status.linkCount - 1)
    return nil
  }

  /// Records that a first name no longer leads to the file that the scan saw.
  func lose(_ first: Path) {
    lost[first] = .some(nil)
  }

  /// Keeps an entry of the parent that cannot be examined. A hard link is kept only while its first name is still
  /// there; if that cannot be examined either, it counts as there.
  func keep(_ entry: Entry) {
    guard case .hardLink(let first) = entry.content, lost[first] == nil else { return }
    do throws(SystemError) {
      let status = try files.statusIfPresent(of: first, in: root)
      guard let status, status.inode == entry.identity.inode else { return lose(first) }
      // The first name may have become another name of a file that comes before it.
      let file = linked[Key(device: status.device, inode: status.inode)]
      if let file, file.first != first, first < entry.path { lost[first] = .some(file.first) }
    } catch {
      return
    }
  }

  func resolution(of entry: Entry) -> Resolution {
    guard case .hardLink(let first) = entry.content, let heir = lost[first] else { return .sound }
    return heir.map { .leads(to: $0) } ?? .inherits(from: first)
  }

  /// Records that a name was captured as the file itself, in place of a lost first name.
  func inherit(_ heir: Path, from first: Path) {
    lost[first] = .some(heir)
  }
}
