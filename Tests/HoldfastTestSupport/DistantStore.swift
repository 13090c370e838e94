package import HoldfastModel
package import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// A store on a long line: every request takes as long as a round trip, and is recorded with its beginning and end. It
/// makes the requests that S3 would: an object of unknown length comes with its first bytes, a small one is sent with
/// its commit, several are removed at once, and there are no locks.
package final class DistantStore: Store {
  /// One request.
  package struct Request: Sendable {
    package let what: String
    package let began: TimeSpan
    package let ended: TimeSpan
  }

  private static let firstBytes: UInt64 = 64 << 10
  private let memory: MemoryStore
  private let latency: TimeSpan
  private let noted = Mutex<[Request]>([])
  private let isAtOnce = Atomic(false)

  package init(latency: TimeSpan = .milliseconds(100), memory: MemoryStore = DistantStore.farMemory()) {
    (self.latency, self.memory) = (latency, memory)
  }

  /// Returns the store at the other end of the line.
  package static func farMemory() -> MemoryStore {
    var traits = MemoryStore.Traits()
    (traits.isNear, traits.connections, traits.partBytes) = (false, 8, 6 << 20)
    return MemoryStore(traits)
  }

  package var location: String { memory.location }
  package var connections: Int { memory.connections }

  package var capabilities: StoreCapabilities {
    var capabilities = memory.capabilities
    capabilities.locks = false
    return capabilities
  }

  // MARK: Recorded requests

  /// The requests since they were last forgotten, ordered by their beginning.
  package var requests: [Request] { noted.withLock { $0 }.sorted { $0.began < $1.began } }

  package func forgetRequests() { noted.withLock { $0 = [] } }

  /// Answers at once while `body` runs, for work that a test only prepares.
  package func withoutLatency(_ body: () throws -> Void) rethrows {
    isAtOnce.store(true, ordering: .relaxed)
    defer { isAtOnce.store(false, ordering: .relaxed) }
    try body()
  }

  /// The number of times that an answer had to be awaited: the most requests each of which began after the one before
  /// had ended. Requests side by side count as one.
  package var roundTrips: Int {
    var (count, end) = (0, TimeSpan.zero)
    for request in requests.sorted(by: { $0.ended < $1.ended }) where request.began >= end {
      (count, end) = (count + 1, request.ended)
    }
    return count
  }

  /// The requests as text, those of one round trip on one line.
  package var transcript: String {
    var lines: [String] = []
    var end = TimeSpan.zero
    for request in requests {
      if request.began >= end || lines.isEmpty { lines.append("") }
      if lines[lines.count - 1].isEmpty { end = request.ended }
      lines[lines.count - 1] += (lines[lines.count - 1].isEmpty ? "" : " | ") + request.what
    }
    return lines.joined(separator: "\n")
  }

  private func asking<Answer>(_ what: String, _ request: () throws -> Answer) rethrows -> Answer {
    let began = Clock.system.uptime()
    if !isAtOnce.load(ordering: .relaxed) { Pause.time(latency) }
    defer {
      let made = Request(what: what, began: began, ended: Clock.system.uptime())
      noted.withLock { $0.append(made) }
    }
    return try request()
  }

  // MARK: Requests

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    try asking("list \(prefix)") { try memory.list(prefix, depth, after: name, max: max) }
  }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    if let length { return Object(base: try memory.open(key, length: length), store: self, knownBytes: 0) }
    return Object(
      base: try asking("get \(key)") { try memory.open(key, length: nil) }, store: self, knownBytes: Self.firstBytes)
  }

  package func upload(_ key: String) throws -> any ObjectUpload { Upload(try memory.upload(key), key, self) }

  package func remove(_ key: String) throws { try asking("delete \(key)") { try memory.remove(key) } }

  package func removeBriefly(_ keys: [String]) throws {
    try asking("delete \(keys.joined(separator: " "))") { try keys.forEach { try memory.remove($0) } }
  }

  package func removeAll(below prefix: String) throws {
    try asking("delete all \(prefix)") { try memory.removeAll(below: prefix) }
  }

  package func probe(_ random: Randomness) throws -> StoreProbe { StoreProbe(capabilities: capabilities) }

  private struct Object: ReadableBytes {
    let base: any ReadableBytes
    let store: DistantStore
    /// The number of bytes that came when it was opened.
    let knownBytes: UInt64

    var length: UInt64 { base.length }
    var name: String { base.name }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
      if offset + UInt64(buffer.count) <= knownBytes { return try base.read(into: buffer, at: offset) }
      try store.asking("get \(name) \(offset)+\(buffer.count)") { try base.read(into: buffer, at: offset) }
    }
  }

  private final class Upload: ObjectUpload {
    private let base: any ObjectUpload
    private let key: String
    private let store: DistantStore

    init(_ base: any ObjectUpload, _ key: String, _ store: DistantStore) {
      (self.base, self.key, self.store) = (base, key, store)
    }

    var partBytes: Int? { base.partBytes }

    func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws {
      if offset == 0, bytes.count < partBytes ?? 0 { return try base.send(bytes, at: offset) }
      try store.asking("put \(key) from \(offset)") { try base.send(bytes, at: offset) }
    }

    func commit() throws { try store.asking("put \(key)") { try base.commit() } }

    func abort() { base.abort() }
  }
}
