package import HoldfastModel
internal import HoldfastSource
package import HoldfastSystem

/// The directory of a source, as a watch sees it: what the kernel tells of it, and from time to time a look at
/// everything. The look finds what the kernel tells nobody: what other machines do on a network file system, writes
/// through a mapping, and another file system that was mounted over the directory.
package struct WatchedTree {
  /// An index that SQLite's programs share. It changes when one opens a database, and contains nothing of its own.
  private static let sharedIndex = Array("-shm".utf8)

  private let directory: Path
  private let patterns: [String]
  /// Begins to watch a directory that exists.
  package typealias Opening = (_ path: Path, _ isLeftOut: @escaping (Path) -> Bool) throws(SystemError) -> TreeNotices

  private let files: FileSystem
  private let makeNotices: Opening?
  private let check: () throws -> Void
  /// The changes that the kernel tells; `nil` if it tells none, so that only looks find them.
  package private(set) var notices: TreeNotices?
  private var root: FileStatus?
  private var refusal: SystemError?
  private var seen: Int?

  /// - Parameters:
  ///   - exclusions: the patterns of paths that are no part of the source.
  ///   - check: called now and then while everything is looked at, which may take long; its error ends that.
  ///   - makeNotices: `nil` to ask the kernel.
  package init(
    _ directory: Path, exclusions: [String], files: FileSystem, check: @escaping () throws -> Void = {},
    makeNotices: Opening? = nil
  ) {
    (self.directory, patterns, self.files) = (directory, exclusions, files)
    self.check = check
    self.makeNotices = makeNotices
  }

  /// True if the directory is there, as far as is known.
  package var isOpen: Bool { root != nil }

  /// The error for which the kernel tells of no changes in some directories, or in all; `nil` if there is none.
  package var gap: SystemError? { refusal ?? notices?.gap }

  private func isLeftOut(below path: Path) -> (Path) -> Bool {
    let globs = patterns.map { Glob($0, below: [path, directory]) }
    return { item in
      item.bytes.suffix(Self.sharedIndex.count).elementsEqual(Self.sharedIndex) || globs.contains { $0.matches(item) }
    }
  }

  /// Begins to watch the directory that now has the name. If the kernel lacks the means to tell of changes, there are
  /// looks still.
  /// - Throws: when there is no directory, or it cannot be read.
  package mutating func open() throws(SystemError) {
    let path = try files.resolve(directory)
    let status = try files.status(of: path)
    do throws(SystemError) {
      notices = try watch(path)
      refusal = nil
    } catch {
      guard error.isLackOfMeans else { throw error }
      (notices, refusal) = (nil, error)
    }
    root = status
  }

  private func watch(_ path: Path) throws(SystemError) -> TreeNotices {
    let isLeftOut = isLeftOut(below: path)
    if let makeNotices { return try makeNotices(path, isLeftOut) }
    return try TreeNotices(path, files: files, isLeftOut: isLeftOut, goesOn: { [check] in (try? check()) != nil })
  }

  package mutating func close() { (notices, root, refusal, seen) = (nil, nil, nil, nil) }

  /// Looks at everything.
  /// - Returns: true if something is other than at the last look.
  /// - Throws: when the directory is not there any more, or the error of `check`.
  package mutating func look() throws -> Bool {
    let path = try files.resolve(directory)
    let directory = try files.open(path, .directory)
    if let root, try !directory.status().isSameFile(as: root) {
      close()
      return true
    }
    let before = seen
    seen = try fingerprint(directory, path)
    return before != seen
  }

  /// A number that is another one if names or metadata in the directory are.
  private func fingerprint(_ directory: OpenFile, _ path: Path) throws -> Int {
    let scanner = Scanner(
      files: files, root: directory, exclusions: patterns.map { Glob($0, below: [path, self.directory]) })
    var hasher = Hasher()
    while let finding = try scanner.next() {
      try check()
      guard case .item(let item) = finding,
        !item.path.bytes.suffix(Self.sharedIndex.count).elementsEqual(Self.sharedIndex)
      else { continue }
      let status = item.status
      hasher.combine(item.path)
      hasher.combine([status.size, status.inode])
      hasher.combine([status.modified, status.changed])
    }
    return hasher.finalize()
  }
}
