internal import Glibc
package import HoldfastModel

/// Tells that something in a tree of directories has changed (inotify(7)): names, contents, or metadata. Reading, and
/// taking locks, is no change. Only one thread at a time may use it.
///
/// The kernel keeps what happens until it is taken, so nothing is missed between two calls. It does not see what other
/// machines do to a network file system, nor writes through a mapping: whoever must know these looks from time to time.
package final class TreeNotices {
  /// The changes since the last call.
  package struct News: Hashable, Sendable {
    /// True if anything changed that is not left out.
    package var isChanged = false
    /// True if more happened than the kernel keeps. What it was is not known.
    package var isOverflown = false
    /// True if the root of the tree was moved, removed or unmounted: nothing more will be told.
    package var isGone = false

    package init(isChanged: Bool = false, isOverflown: Bool = false, isGone: Bool = false) {
      (self.isChanged, self.isOverflown, self.isGone) = (isChanged, isOverflown, isGone)
    }
  }

  private static let changes = UInt32(
    IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)
  private static let ends = UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)
  private static let isDirectory = UInt32(1) << 30
  private static let addedDirectory = UInt32(IN_CREATE | IN_MOVED_TO)
  private static let blockBytes = 64 << 10
  /// The blocks that are taken at a time: a writer may be faster than the reader.
  private static let blocksMax = 64

  private let descriptor: Int32
  private let files: FileSystem
  private let root: Path
  private let isLeftOut: (Path) -> Bool
  private let goesOn: () -> Bool
  /// The directories by the numbers that the kernel gave them, relative to the root.
  private var directories: [Int32: Path] = [:]
  private var rootNumber: Int32 = -1
  /// The error for which some directories are not watched; `nil` if all are. The most common one is ENOSPC: the user
  /// has as many watches as the system allows (fs.inotify.max_user_watches).
  package private(set) var gap: SystemError?

  /// Begins to watch a directory and all directories below it.
  /// - Parameters:
  ///   - root: an absolute path without symbolic links.
  ///   - isLeftOut: true for paths below the root that do not matter, with everything below them.
  ///   - goesOn: asked before each directory is read; false ends the reading early.
  /// - Throws: when the root itself cannot be watched.
  package init(
    _ root: Path, files: FileSystem, isLeftOut: @escaping (Path) -> Bool = { _ in false },
    goesOn: @escaping () -> Bool = { true }
  ) throws(SystemError) {
    (self.root, self.files, self.isLeftOut, self.goesOn) = (root, files, isLeftOut, goesOn)
    descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
    guard descriptor >= 0 else { throw .last("watch", root) }
    do throws(SystemError) {
      rootNumber = try watch(.root)
    } catch {
      close(descriptor)
      throw error
    }
    addDirectories(below: .root)
  }

  deinit { close(descriptor) }

  /// The number of directories that are watched.
  package var count: Int { directories.count }

  // MARK: Directories

  private func watch(_ directory: Path) throws(SystemError) -> Int32 {
    let path = directory.isEmpty ? root : root.appending(directory.bytes)
    let mask = Self.changes | UInt32(IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)
    let number = path.withCString { inotify_add_watch(descriptor, $0, mask) }
    guard number >= 0 else { throw .last("watch", path) }
    directories[number] = directory
    return number
  }

  /// Watches what is below a directory that is watched already.
  private func addDirectories(below top: Path) {
    var waiting = [top]
    while let path = waiting.popLast(), goesOn() {
      do throws(SystemError) {
        for below in try directories(in: path) where add(below) { waiting.append(below) }
      } catch {
        note(error)
      }
    }
  }

  /// Returns the directories in one that is watched, relative to the root.
  private func directories(in path: Path) throws(SystemError) -> [Path] {
    let directory = try files.open(path.isEmpty ? root : root.appending(path.bytes), .directory)
    let listing = try directory.listing()
    var found: [Path] = []
    for index in 0..<listing.count {
      let name = Array(listing[index])
      let below = path.appending(name)
      guard !isLeftOut(below), (try? files.status(of: Path(bytes: name), in: directory))?.kind == .directory
      else { continue }
      found.append(below)
    }
    return found
  }

  /// Notes why a directory is not watched. What has gone meanwhile is no gap.
  private func note(_ error: SystemError) {
    if !error.isNotFound, !error.isOfAnotherKind { gap = gap ?? error }
  }

  /// Ends the watch of a directory that was moved away, and of all below it. Where it is now, it may be watched anew.
  private func forget(_ directory: Path) {
    for (number, path) in directories where path == directory || directory.contains(path) {
      inotify_rm_watch(descriptor, number)
      directories[number] = nil
    }
  }

  /// - Returns: true if the directory is watched.
  private func add(_ directory: Path) -> Bool {
    do throws(SystemError) {
      _ = try watch(directory)
      return true
    } catch {
      note(error)
      return false
    }
  }

  // MARK: News

  /// Waits until something has happened.
  /// - Parameter span: the longest wait.
  package static func wait(for notices: TreeNotices?, _ span: TimeSpan) {
    let milliseconds = Int32(max(0, min(span.seconds * 1000, 60_000)).rounded(.up))
    var watched = pollfd(fd: notices?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
    _ = poll(&watched, 1, milliseconds)
  }

  /// Takes what has happened, and begins to watch new directories. If more happens all the time, the next call tells
  /// the rest.
  package func take() -> News {
    var news = News()
    let block = Buffer(capacity: Self.blockBytes)
    for _ in 0..<Self.blocksMax {
      let count = read(descriptor, block.bytes.baseAddress, block.capacity)
      guard count > 0 else { return news }
      var rest = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(block.bytes)[..<count])
      let head = MemoryLayout<inotify_event>.size
      while rest.count >= head {
        let event = rest.loadUnaligned(as: inotify_event.self)
        let end = head + Int(event.len)
        guard rest.count >= end else { break }
        note(event, name: rest[head..<end].prefix { $0 != 0 }, &news)
        rest = UnsafeRawBufferPointer(rebasing: rest[end...])
      }
    }
    return news
  }

  private func note(_ event: inotify_event, name: some Sequence<UInt8>, _ news: inout News) {
    if event.mask & UInt32(IN_Q_OVERFLOW) != 0 {
      news.isOverflown = true
      return
    }
    let number = event.wd
    if number == rootNumber, event.mask & Self.ends != 0 { news.isGone = true }
    if event.mask & UInt32(IN_IGNORED) != 0 {
      directories[number] = nil
      return
    }
    guard let directory = directories[number] else { return }
    let name = Array(name)
    let path = name.isEmpty ? directory : directory.appending(name)
    guard !isLeftOut(path) else { return }
    news.isChanged = true
    guard event.mask & Self.isDirectory != 0 else { return }
    if event.mask & UInt32(IN_MOVED_FROM) != 0 { forget(path) }
    guard event.mask & Self.addedDirectory != 0 else { return }
    if add(path) { addDirectories(below: path) }
  }
}
