internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSource
internal import HoldfastSystem

/// A directory that a restore writes to, or will make. It is opened once, without following a link, and everything goes
/// through that descriptor, because the owner of a directory above may exchange names at any moment.
struct RestoreTarget {
  /// The absolute path, without symbolic links.
  let path: Path
  /// The target itself if it exists, otherwise the innermost existing directory above it.
  let anchor: OpenFile
  /// The names of the missing directories below `anchor`, from the outermost to the target.
  let missing: [Path]

  /// - Parameters:
  ///   - directory: the target, open already.
  ///   - path: its path, for messages.
  init(_ directory: OpenFile, at path: Path) { (self.path, anchor, missing) = (path, directory, []) }

  /// - Parameter path: absolute, without symbolic links (`PathConflicts.resolve`).
  /// - Throws: `EngineError` if something else than a directory is at the path.
  init(_ path: Path, files: FileSystem) throws {
    self.path = path
    var missing: [Path] = []
    var place = path
    var refusal: SystemError?
    while true {
      do throws(SystemError) {
        anchor = try files.openResolved(place)
        break
      } catch {
        guard error.isNotFound || error.isOfAnotherKind, let parent = place.parent else { throw error }
        refusal = refusal ?? error
        missing.insert(Path(bytes: Array(place.lastComponent)), at: 0)
        place = parent.isEmpty ? Path("/") : parent
      }
    }
    self.missing = missing
    // The object at the path is not a directory.
    guard let refusal, try files.statusIfPresent(of: missing[0], in: anchor) != nil else { return }
    guard missing.count == 1 else { throw refusal }
    throw EngineError(
      .usage, "the target \(path) is not a directory", hint: "Name a --target that is one, or does not exist.")
  }

  /// The open target; `nil` if it does not exist.
  var existing: OpenFile? { missing.isEmpty ? anchor : nil }

  /// Returns the number of names in a target that belong neither to a restore nor to the file system.
  static func foreignCount(in target: OpenFile, files: FileSystem) throws -> Int {
    let listing = try target.listing()
    let ownCount = (0..<listing.count).count { listing[$0].elementsEqual(Stage.name.bytes) }
    return try listing.count - ownCount - (LostAndFound.lies(in: target, listing, files: files) ? 1 : 0)
  }

  /// Refuses a target that is not empty.
  func checkEmpty(files: FileSystem) throws {
    let foreign = try existing.map { try Self.foreignCount(in: $0, files: files) } ?? 0
    guard foreign == 0 else {
      throw EngineError(
        .usage, "the target \(path) is not empty (\(Amount.count(UInt64(foreign), "entry", "entries")))",
        hint:
          "Name an empty --target, or say --delta to restore over what is there: it removes what the snapshot does not have."
      )
    }
  }

  /// Refuses a file system with too little free space for this number of bytes.
  func checkSpace(_ needed: UInt64, files: FileSystem) throws {
    // If the free space is not known, the restore itself finds out.
    guard let available = try anchor.availableBytes() else { return }
    guard try needed <= available || needed - available <= stagedBytes(files: files) else {
      throw EngineError(
        .machine,
        "the file system of \(path) is too small: the restore needs \(Amount.bytes(needed)), and \(Amount.bytes(available)) are free",
        hint: "Free space there, name another --target, or restore a part with --path.")
    }
  }

  /// Returns the number of bytes that an interrupted restore has already stored in the target.
  private func stagedBytes(files: FileSystem) throws -> UInt64 {
    guard let existing, let left = try? files.open(Stage.name, in: existing, .directory) else { return 0 }
    let scanner = Scanner(files: files, root: left, exclusions: [])
    var bytes: UInt64 = 0
    while let finding = try scanner.next() {
      if case .item(let item) = finding { bytes &+= item.status.allocated }
    }
    return bytes
  }
}
