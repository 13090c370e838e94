package import HoldfastSystem
internal import Synchronization

/// A store that keeps small objects in memory after they were read. It keeps only objects whose content never changes
/// under their key.
package struct CachingStore: StoreLayer {
  /// The longest object that is kept, in bytes.
  private static let objectBytesMax: UInt64 = 256 << 10
  /// The length of most manifests.
  private static let usualBytes: UInt64 = 4 << 10
  /// The most small objects that are read at once.
  private static let threadsMax = 64
  package let base: any Store
  private let isCached: @Sendable (_ key: String) -> Bool
  private let kept: KeptObjects

  /// - Parameters:
  ///   - bytesMax: the most bytes of all kept objects.
  ///   - isCached: true if the object under a key is small and never changes: true for manifests, false for journals.
  package init(_ base: any Store, bytesMax: Int = 16 << 20, isCached: @escaping @Sendable (_ key: String) -> Bool) {
    self.base = base
    self.isCached = isCached
    kept = KeptObjects(bytesMax: bytesMax)
  }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    guard isCached(key) else { return try base.open(key, length: length) }
    if let known = kept[key], known.length == length ?? known.length { return known }
    let object = try base.open(key, length: length)
    guard object.length <= Self.objectBytesMax else { return object }
    var bytes = [UInt8](repeating: 0, count: Int(object.length))
    try bytes.withUnsafeMutableBytes { try object.read(into: $0, at: 0) }
    let read = MemoryBytes(bytes, name: object.name)
    kept[key] = read
    return read
  }

  package func openAnew(_ key: String) throws -> any ReadableBytes { try base.openAnew(key) }

  /// Reads objects that will be kept. It reads more of them at once than of large objects, because each is little more
  /// than a round trip. An object that has no room, or cannot be read, is left to the code that opens it.
  package func prefetch(_ objects: [(key: String, length: UInt64?)]) {
    var room = UInt64(kept.bytesMax / 2)
    let wanted = objects.filter { object in
      let length = object.length ?? Self.usualBytes
      guard isCached(object.key), length <= Self.objectBytesMax, length <= room, kept[object.key] == nil else {
        return false
      }
      room -= length
      return true
    }
    guard !wanted.isEmpty else { return }
    try? SideBySide.run(wanted.count, threads: min(Self.threadsMax, 8 * connections)) { [self] index in
      _ = try? open(wanted[index].key, length: wanted[index].length)
    }
  }

  package func remove(_ key: String) throws {
    kept[key] = nil
    try base.remove(key)
  }

  package func removeBriefly(_ keys: [String]) throws {
    for key in keys { kept[key] = nil }
    try base.removeBriefly(keys)
  }

  package func removeAll(below prefix: String) throws {
    kept.removeAll(below: prefix)
    try base.removeAll(below: prefix)
  }
}

/// The objects that were read most recently.
private final class KeptObjects: Sendable {
  private struct State {
    var objects: [String: MemoryBytes] = [:]
    /// The keys, oldest first. Some objects may be gone already.
    var order: [String] = []
    var bytes = 0
  }

  let bytesMax: Int
  private let state = Mutex(State())

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  subscript(key: String) -> MemoryBytes? {
    get { state.withLock { $0.objects[key] } }
    set {
      state.withLock { state in
        if let old = state.objects.removeValue(forKey: key) { state.bytes -= Int(old.length) }
        guard let newValue else { return }
        state.objects[key] = newValue
        state.order.append(key)
        state.bytes += Int(newValue.length)
        while state.bytes > bytesMax, !state.order.isEmpty {
          let oldest = state.order.removeFirst()
          if let gone = state.objects.removeValue(forKey: oldest) { state.bytes -= Int(gone.length) }
        }
      }
    }
  }

  func removeAll(below prefix: String) {
    state.withLock { state in
      for (key, object) in state.objects where key.hasPrefix(prefix) {
        state.objects[key] = nil
        state.bytes -= Int(object.length)
      }
    }
  }
}
