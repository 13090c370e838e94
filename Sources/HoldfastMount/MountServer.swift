internal import CFuse
internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// Answers the requests of the kernel, on several threads, until nothing is mounted any more.
final class MountServer: Sendable {
  /// More than the kernel sends reads ahead (12): who only lists waits for no far store.
  private static let threadsCount = 16
  /// The first protocol whose replies have the lengths of today (Linux 3.15).
  private static let minorVersionMin: UInt32 = 23
  /// The protocol of which things are used at most (Linux 5.2).
  private static let minorVersionMax: UInt32 = 31
  /// A reply to a read: as many pages as the kernel asks for at most.
  private static let readBytesMax = 1 << 20
  private static let pageBytes = 4096
  private static let nameBytesMax: UInt32 = 255

  private let connection: FuseConnection
  private let tree: MountedTree
  private let reporter: MountReporter
  private let letsOthers: Bool
  /// The threads that have not ended.
  private let running = Atomic(0)
  private let failed = Atomic(false)

  init(_ connection: FuseConnection, _ tree: MountedTree, _ reporter: MountReporter, letsOthers: Bool) {
    (self.connection, self.tree, self.reporter, self.letsOthers) = (connection, tree, reporter, letsOthers)
  }

  /// True as long as requests are answered.
  var isServing: Bool { running.load(ordering: .acquiring) > 0 }

  /// True if the kernel sends no requests though it is mounted.
  var hasFailed: Bool { failed.load(ordering: .acquiring) }

  /// Ends the threads within some 200 ms.
  func end() { connection.end() }

  /// Begins to answer.
  /// - Returns: the threads that do it.
  /// - Throws: `MountError` when the system has no thread.
  func start() throws -> [WorkerThread] {
    let threads = (0..<Self.threadsCount).compactMap { _ in
      running.wrappingAdd(1, ordering: .acquiringAndReleasing)
      let thread = WorkerThread.start { [self] in
        serve()
        running.wrappingSubtract(1, ordering: .acquiringAndReleasing)
      }
      if thread == nil { running.wrappingSubtract(1, ordering: .acquiringAndReleasing) }
      return thread
    }
    guard !threads.isEmpty else { throw MountError.noThread }
    return threads
  }

  private func serve() {
    let request = Buffer(capacity: FuseConnection.requestBytesMax)
    let reply = Buffer(capacity: Self.readBytesMax)
    while true {
      do {
        guard let request = try connection.receive(into: request) else { continue }
        reply.count = 0
        answer(request, with: reply)
      } catch is FuseConnection.Unmounted {
        return
      } catch {
        failed.store(true, ordering: .releasing)
        return reporter.warn(describe(error).message)
      }
    }
  }

  private func answer(_ request: FuseRequest, with reply: Buffer) {
    do {
      guard try perform(request, reply) else { return }
      connection.reply(to: request, reply.used)
    } catch let refusal as Refusal {
      connection.reply(to: request, refusal)
    } catch is Interrupted {
      connection.reply(to: request, .interrupted)
    } catch {
      reporter.failed(error, at: request.node, in: tree)
      connection.reply(to: request, .unreadable)
    }
  }

  /// - Returns: false if the kernel expects no reply.
  private func perform(_ request: FuseRequest, _ reply: Buffer) throws -> Bool {
    switch request.operation {
    // Nothing is kept of what the kernel knows, so nothing is to be forgotten. Of interruptions it tells after every
    // signal, also of those that must not end a read.
    case FUSE_FORGET, FUSE_BATCH_FORGET, FUSE_INTERRUPT: return false
    case FUSE_RELEASE, FUSE_RELEASEDIR, FUSE_DESTROY: break
    case FUSE_INIT: try begin(request, reply)
    case FUSE_STATFS: statistics(reply)
    default: try perform(request, on: tree.node(request.node), reply)
    }
    return true
  }

  private func perform(_ request: FuseRequest, on node: Node, _ reply: Buffer) throws {
    switch request.operation {
    case FUSE_LOOKUP: reply.append(try tree.child(request.text(), of: node).entry)
    case FUSE_GETATTR: reply.append(try tree.status(of: node).reply)
    case FUSE_READLINK: reply.append(bytes: try tree.target(of: node))
    case FUSE_OPEN: try open(request, node, reply)
    case FUSE_READ: try read(request, node, reply)
    case FUSE_LSEEK: try seek(request, node, reply)
    case FUSE_OPENDIR: reply.append(fuse_open_out())
    case FUSE_READDIR: try list(request, node, reply, withStatus: false)
    case FUSE_READDIRPLUS: try list(request, node, reply, withStatus: true)
    case FUSE_GETXATTR: try extendedAttribute(request, node, reply)
    case FUSE_LISTXATTR: try listExtendedAttributes(request, node, reply)
    default: throw Refusal.noFunction
    }
  }

  // MARK: The file system as a whole

  private func begin(_ request: FuseRequest, _ reply: Buffer) throws {
    let offered = request.argument(fuse_init_in())
    guard offered.major >= FUSE_KERNEL_VERSION,
      offered.minor >= Self.minorVersionMin || offered.major > FUSE_KERNEL_VERSION
    else {
      reporter.warn(MountError.tooOld.message)
      throw Refusal.wrongProtocol
    }
    var wanted = FUSE_ASYNC_READ | FUSE_DO_READDIRPLUS | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES
    // Of a file with an access control list the mode alone would let in too many.
    if letsOthers { wanted |= FUSE_POSIX_ACL }
    var agreed = fuse_init_out()
    (agreed.major, agreed.minor) = (UInt32(FUSE_KERNEL_VERSION), min(offered.minor, Self.minorVersionMax))
    agreed.max_readahead = offered.max_readahead
    agreed.flags = offered.flags & UInt32(wanted)
    agreed.max_write = UInt32(Self.pageBytes)
    agreed.max_pages = UInt16(Self.readBytesMax / Self.pageBytes)
    agreed.time_gran = 1
    reply.append(agreed)
  }

  private func statistics(_ reply: Buffer) {
    var out = fuse_statfs_out()
    (out.st.bsize, out.st.frsize, out.st.namelen) = (UInt32(Self.pageBytes), UInt32(Self.pageBytes), Self.nameBytesMax)
    reply.append(out)
  }

  // MARK: Files

  private func open(_ request: FuseRequest, _ node: Node, _ reply: Buffer) throws {
    guard case .entry(let number, let entry) = node else { throw Refusal.invalid }
    let accessMask: UInt32 = 3
    guard request.argument(fuse_open_in()).flags & accessMask == 0 else { throw Refusal.readOnly }
    let consistency = try tree.open(number).open(entry)
    if !consistency.isComplete { reporter.incomplete(consistency, at: request.node, in: tree) }
    guard consistency != .unreadable else { throw Refusal.unreadable }
    var out = fuse_open_out()
    // What the kernel has read of it stays true.
    out.open_flags = UInt32(FOPEN_KEEP_CACHE)
    reply.append(out)
  }

  private func read(_ request: FuseRequest, _ node: Node, _ reply: Buffer) throws {
    guard case .entry(let number, let entry) = node else { throw Refusal.invalid }
    let wanted = request.argument(fuse_read_in())
    let target = UnsafeMutableRawBufferPointer(rebasing: reply.bytes[..<min(Int(wanted.size), reply.capacity)])
    reply.count = try tree.open(number).read(entry, at: wanted.offset, into: target)
  }

  private func seek(_ request: FuseRequest, _ node: Node, _ reply: Buffer) throws {
    guard case .entry(let number, let entry) = node else { throw Refusal.invalid }
    let wanted = request.argument(fuse_lseek_in())
    guard [holdfast_fuse_seek_data, holdfast_fuse_seek_hole].contains(Int(wanted.whence)) else { throw Refusal.invalid }
    let offset = try tree.open(number).seek(
      entry, from: wanted.offset, isForData: Int(wanted.whence) == holdfast_fuse_seek_data)
    reply.append(fuse_lseek_out(offset: offset))
  }

  // MARK: Directories

  /// A listing begins with the directory itself and the one above it.
  private static let dots: [[UInt8]] = [Array(".".utf8), Array("..".utf8)]

  private func list(_ request: FuseRequest, _ node: Node, _ reply: Buffer, withStatus: Bool) throws {
    let wanted = request.argument(fuse_read_in())
    let room = min(Int(wanted.size), reply.capacity)
    let start = Int(clamping: wanted.offset)
    for (index, name) in Self.dots.enumerated().dropFirst(start) {
      let dot = DirectoryRecord(
        name: name, node: request.node, type: NodeStatus.directoryType, next: UInt64(index) + 1)
      guard dot.append(nil, to: reply, room: room, withStatus: withStatus) else { return }
    }
    try tree.forEachChild(of: node, from: max(0, start - Self.dots.count)) { child in
      let record = DirectoryRecord(
        name: child.name, node: child.node, type: child.type, next: UInt64(child.next + Self.dots.count))
      guard record.byteCount(withStatus: withStatus) <= room - reply.count else { return false }
      return record.append(
        withStatus ? try child.status?() : nil, to: reply, room: room, withStatus: withStatus)
    }
  }

  // MARK: Extended attributes

  private func extendedAttribute(_ request: FuseRequest, _ node: Node, _ reply: Buffer) throws {
    let name = request.text(after: MemoryLayout<fuse_getxattr_in>.size)
    guard let found = try tree.extendedAttributes(of: node).first(where: { $0.name == name }) else {
      throw Refusal.noAttribute
    }
    try append(found.value, as: request, to: reply)
  }

  private func listExtendedAttributes(_ request: FuseRequest, _ node: Node, _ reply: Buffer) throws {
    try append(tree.extendedAttributes(of: node).flatMap { $0.name + [0] }, as: request, to: reply)
  }

  /// Replies with the length if the kernel asks for nothing more.
  private func append(_ value: [UInt8], as request: FuseRequest, to reply: Buffer) throws {
    let room = request.argument(fuse_getxattr_in()).size
    guard room > 0 else { return reply.append(fuse_getxattr_out(size: UInt32(value.count), padding: 0)) }
    guard value.count <= Int(room), value.count <= reply.capacity else { throw Refusal.outOfRange }
    reply.append(bytes: value)
  }
}

extension Buffer {
  /// Appends a structure of the kernel.
  fileprivate func append(_ structure: some BitwiseCopyable) { withUnsafeBytes(of: structure) { append($0) } }

  fileprivate func append(bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }
}
