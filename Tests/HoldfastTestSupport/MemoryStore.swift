internal import HoldfastModel
package import HoldfastStore
package import HoldfastSystem
internal import Synchronization

/// A store in memory that behaves like a remote one: it gives listings in pages, takes objects in parts, and counts
/// requests. It is a second implementation, which keeps the contract honest, and tests can damage objects in it.
package final class MemoryStore: Store {
  /// The differences from the best of stores.
  package struct Traits: Sendable {
    /// See `ObjectUpload.partBytes`.
    package var partBytes: Int? = nil
    /// The maximum number of entries in a page of a listing.
    package var pageMax = 1000
    /// The number of listings that do not show a commit or a removal yet.
    package var lag = 0
    package var listsLengths = true
    /// True if listings show a tag for each content.
    package var listsTags = false
    package var connections = 1
    package var isNear = true

    package init() {}
  }

  /// Requests that were made.
  package struct Counts: Sendable, Equatable {
    package var listings = 0
    package var reads = 0
    package var sends = 0
    package var commits = 0
    package var removals = 0

    package init() {}
  }

  private struct State {
    var objects: [String: [UInt8]] = [:] { didSet { ordered = nil } }
    /// The keys in the order of listings; `nil` until a listing needs them again.
    var ordered: [String]?
    /// The objects that listings show wrongly, and for how many more listings.
    var lagging: [String: (length: Int?, left: Int)] = [:]
    var counts = Counts()
    var opened: [String] = []
    var fetched: [String] = []
  }

  private let state = Mutex(State())
  private let locked = Mutex<Set<String>>([])
  private let traits: Traits
  package let location = "memory"

  package init(_ traits: Traits = Traits()) { self.traits = traits }

  package var connections: Int { traits.connections }

  package var capabilities: StoreCapabilities {
    var capabilities = StoreCapabilities()
    capabilities.listsAtOnce = traits.lag == 0
    capabilities.listsLengths = traits.listsLengths
    capabilities.isNear = traits.isNear
    return capabilities
  }

  /// All objects by key. A test sets them to damage them.
  package var contents: [String: [UInt8]] {
    get { state.withLock { $0.objects } }
    set { state.withLock { $0.objects = newValue } }
  }

  /// Lets listings lag behind one object for good.
  package func hideFromListings(_ key: String) { state.withLock { $0.lagging[key] = (nil, .max) } }

  /// Requests since they were last forgotten.
  package var counts: Counts { state.withLock { $0.counts } }

  /// The objects whose length was requested, and that exist.
  package var opened: [String] { state.withLock { $0.opened } }

  /// The objects whose bytes were read, once for each read.
  package var fetched: [String] { state.withLock { $0.fetched } }

  package func forgetRequests() { state.withLock { ($0.counts, $0.opened, $0.fetched) = (Counts(), [], []) } }

  /// Returns a tag like the ETag of S3: other bytes have another one.
  package func tag(of bytes: [UInt8]) -> String? {
    traits.listsTags
      ? String(bytes.reduce(UInt64(bytes.count)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }, radix: 16) : nil
  }

  package func list(_ prefix: String, _ depth: ListingDepth, after name: String?, max: Int) throws -> ListingPage {
    state.withLock { state in
      state.counts.listings += 1
      let keys = keysInListings(&state)
      var entries: [ListingEntry] = []
      let pageMax = min(max, traits.pageMax)
      for key in keys[Self.first(in: keys, from: prefix + (name ?? ""))...] {
        guard key.hasPrefix(prefix), entries.count <= pageMax else { break }
        let entry = entry(key, below: prefix, depth, in: state)
        if name?.precedesInListing(entry.name) ?? true, entries.last?.name != entry.name { entries.append(entry) }
      }
      for (key, lagging) in state.lagging {
        state.lagging[key] = lagging.left > 1 ? (lagging.length, lagging.left - 1) : nil
      }
      return ListingPage(entries, max: pageMax)
    }
  }

  /// Returns the keys that listings show, in their order.
  private func keysInListings(_ state: inout State) -> [String] {
    let keys = state.ordered ?? state.objects.keys.sorted { $0.precedesInListing($1) }
    state.ordered = keys
    guard !state.lagging.isEmpty else { return keys }
    let lagging = state.lagging.mapValues { $0.length != nil }
    return Set(keys).union(lagging.keys).filter { lagging[$0] ?? true }.sorted { $0.precedesInListing($1) }
  }

  /// Returns the index of the first key that does not come before a name.
  private static func first(in keys: [String], from name: String) -> Int {
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle].precedesInListing(name) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  private func entry(_ key: String, below prefix: String, _ depth: ListingDepth, in state: State) -> ListingEntry {
    let rest = String(key.dropFirst(prefix.count))
    if depth == .children, let slash = rest.firstIndex(of: "/") {
      return ListingEntry(name: String(rest[...slash]), kind: .folder)
    }
    let bytes = state.objects[key]
    let length = state.lagging[key].map(\.length) ?? bytes?.count
    return ListingEntry(
      name: rest,
      kind: .object(
        length: traits.listsLengths ? length.map { UInt64($0) } : nil, tag: bytes.flatMap { tag(of: $0) }))
  }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    try check(key)
    guard let length else {
      let length = UInt64(try bytes(key).count)
      state.withLock { $0.opened.append(key) }
      return Object(key: key, length: length, store: self)
    }
    return Object(key: key, length: length, store: self)
  }

  private func bytes(_ key: String) throws -> [UInt8] {
    guard let bytes = state.withLock({ $0.objects[key] }) else {
      throw StoreError.notFound(key: key, location: location)
    }
    return bytes
  }

  package func upload(_ key: String) throws -> any ObjectUpload {
    try check(key)
    return Upload(key: key, store: self)
  }

  /// A store with latency replaces nothing here, as an SFTP server without extensions.
  package func replacement(of key: String) throws -> (any ObjectUpload)? {
    try check(key)
    return traits.isNear ? Upload(key: key, store: self, replaces: true) : nil
  }

  package func remove(_ key: String) throws {
    try check(key)
    state.withLock { state in
      state.counts.removals += 1
      remove(key, from: &state)
    }
  }

  package func removeAll(below prefix: String) throws {
    state.withLock { state in
      state.counts.removals += 1
      for key in state.objects.keys where key.hasPrefix(prefix) { remove(key, from: &state) }
    }
  }

  private func remove(_ key: String, from state: inout State) {
    guard let bytes = state.objects.removeValue(forKey: key), traits.lag > 0 else { return }
    state.lagging[key] = (bytes.count, traits.lag)
  }

  private func check(_ key: String) throws {
    guard !key.isEmpty, Path(key).isSoundEntryPath else { throw StoreError.invalidKey(key) }
  }

  package func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    while !locked.withLock({ $0.insert(name).inserted }) {
      guard wait else { return nil }
      try cancellation.check()
      Pause.briefly()
    }
    return Lock(name: name, store: self)
  }

  private final class Lock: StoreLock {
    let name: String
    let store: MemoryStore
    init(name: String, store: MemoryStore) { (self.name, self.store) = (name, store) }
    deinit { _ = store.locked.withLock { $0.remove(name) } }
  }

  private struct Object: ReadableBytes {
    let key: String
    let length: UInt64
    let store: MemoryStore

    var name: String { key }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
      store.state.withLock { state in
        state.counts.reads += 1
        state.fetched.append(key)
      }
      let bytes = try store.bytes(key)
      guard UInt64(bytes.count) == length else {
        throw StoreError.otherLength(
          key: key, location: store.location, found: UInt64(bytes.count), expected: length)
      }
      try MemoryBytes(bytes, name: key).read(into: buffer, at: offset)
    }
  }

  private final class Upload: ObjectUpload {
    private let key: String
    private let store: MemoryStore
    private enum Phase { case open, committed, aborted }
    private let parts = Mutex<(sent: [UInt64: [UInt8]], phase: Phase)>(([:], .open))

    private let replaces: Bool

    init(key: String, store: MemoryStore, replaces: Bool = false) {
      (self.key, self.store, self.replaces) = (key, store, replaces)
    }

    var partBytes: Int? { store.traits.partBytes }

    func send(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) {
      store.state.withLock { $0.counts.sends += 1 }
      parts.withLock { $0.sent[offset] = Array(bytes) }
    }

    func commit() throws {
      try parts.withLock { parts in
        switch parts.phase {
        case .committed: return
        case .aborted: throw StoreError.notFound(key: key, location: store.location)
        case .open:
          try store.commit(key, try joined(parts.sent), replaces: replaces)
          parts = ([:], .committed)
        }
      }
    }

    private func joined(_ parts: [UInt64: [UInt8]]) throws -> [UInt8] {
      var bytes: [UInt8] = []
      for (offset, part) in parts.sorted(by: { $0.key < $1.key }) {
        guard offset == UInt64(bytes.count) else { throw SystemError.endOfFile(key) }
        bytes += part
      }
      return bytes
    }

    func abort() {
      parts.withLock { if $0.phase == .open { $0 = ([:], .aborted) } }
    }
  }

  private func commit(_ key: String, _ bytes: [UInt8], replaces: Bool) throws {
    let isNew = state.withLock { state in
      state.counts.commits += 1
      guard replaces || state.objects[key] == nil else { return false }
      state.objects[key] = bytes
      if traits.lag > 0 { state.lagging[key] = (nil, traits.lag) }
      return true
    }
    guard isNew else { throw StoreError.alreadyExists(key: key, location: location) }
  }
}
