internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// Files with several names: captured under the first that the walk meets, and as hard links to that under the others. What the scan saw may not hold any more when a
/// name's turn comes; then another name takes its place.
struct HardLinks {
  /// What becomes of a hard link when its turn comes.
  enum Resolution {
    /// It leads to what the scan saw; or is no hard link.
    case sound
    /// Its first name is lost: it is captured as the file itself, and is the first name of those after it.
    case inherits(from: Path)
    /// Its first name is lost, and this one has taken its place.
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
  /// By file, until all of its names were seen.
  private var linked: [Key: LinkedFile] = [:]
  /// First names that are lost, and the name that takes their place, once there is one.
  private var lost: [Path: Path?] = [:]

  init(root: OpenFile, files: FileSystem) {
    (self.root, self.files) = (root, files)
  }

  /// The name under which a file with several names is captured; `nil` for the first of them.
  mutating func otherName(of item: ScannedItem) -> Path? {
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

  /// A first name leads elsewhere than the scan saw.
  mutating func lose(_ first: Path) {
    lost[first] = .some(nil)
  }

  /// An entry of the parent that cannot be examined, and stays as it is. A hard link can do so only where its first name is still there; in doubt it is.
  mutating func keep(_ entry: Entry) {
    guard case .hardLink(let first) = entry.content, lost[first] == nil else { return }
    do throws(SystemError) {
      let status = try files.statusIfPresent(of: first, in: root)
      guard let status, status.inode == entry.identity.inode else { return lose(first) }
      // It may have become another name of something that comes before it.
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

  /// A name is captured as the file itself, in the place of a first name that is lost.
  mutating func inherit(_ heir: Path, from first: Path) {
    lost[first] = .some(heir)
  }
}
