internal import HoldfastModel
package import HoldfastSystem
internal import Synchronization

extension Store {
  /// Tests the store: two clients create one key at once, and another one creates it again. Then a range, a listing and
  /// a removal are tested.
  package func probe(_ random: Randomness) throws -> StoreProbe {
    try ProbeRun(store: self, random: random).run()
  }
}

/// One test of the promises of a store, under keys that nobody else uses.
struct ProbeRun {
  /// The most tries to create an object. For a while, a server may refuse both of two clients that create one key.
  private static let triesMax = 4

  let store: any Store
  /// The same store over a connection of its own, if requests over one connection are answered one after the other.
  let rival: any Store
  let random: Randomness

  init(store: any Store, rival: (any Store)? = nil, random: Randomness) {
    (self.store, self.rival, self.random) = (store, rival ?? store, random)
  }

  func run() throws -> StoreProbe {
    let folder = "\(StoreProbe.prefix)\(random.identifier())/"
    // If the store does not allow removal, the object stays.
    defer { try? store.removeAll(below: folder) }
    var found = store.capabilities
    let key = folder + "object"
    let random = random.bytes(256)
    let both = [random, random.map { ~$0 }]
    let created = try create(key, both)
    let late = Array(random.reversed())
    found.createsIfAbsent = try created.count == 1 && !creates(key, late, in: store) && found.createsIfAbsent
    // If the store replaces objects, any of the three may be there.
    found.readsRanges = try reads(key, both + [late]) && found.readsRanges
    let page = try store.list(folder, .children, after: nil, max: 10)
    found.listsAtOnce = page.entries.map(\.name) == ["object"] && found.listsAtOnce
    if let entry = page.entries.first {
      found.listsLengths = entry.kind.length == UInt64(random.count) && found.listsLengths
    }
    found.removes = try removes(key) && found.removes
    return StoreProbe(capabilities: found, weaknesses: found.weaknesses(of: store.location))
  }

  /// Creates one key twice at the same moment.
  /// - Returns: the bytes of the calls that succeeded.
  private func create(_ key: String, _ both: [[UInt8]]) throws -> [[UInt8]] {
    let outcomes = Mutex<[Result<[UInt8]?, any Error>]>([])
    let threads = zip([store, rival], both).map { store, bytes in
      WorkerThread.start {
        let outcome = Result { try creates(key, bytes, in: store) ? bytes : nil }
        outcomes.withLock { $0.append(outcome) }
      }
    }
    for thread in threads { thread?.join() }
    return try outcomes.withLock { $0 }.compactMap { try $0.get() }
  }

  private func creates(_ key: String, _ bytes: [UInt8], in store: any Store) throws -> Bool {
    let writer = try store.create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    var tries = 0
    while true {
      do {
        tries += 1
        try writer.commit()
        return true
      } catch StoreError.alreadyExists {
        return false
      } catch StoreError.unavailable where tries < Self.triesMax {
        continue
      }
    }
  }

  /// Returns true if a part of the object equals that part of one of `objects`, which all have one length.
  private func reads(_ key: String, _ objects: [[UInt8]]) throws -> Bool {
    var part = [UInt8](repeating: 0, count: 64)
    let object = try store.open(key, length: UInt64(objects[0].count))
    try part.withUnsafeMutableBytes { try object.read(into: $0, at: 100) }
    return objects.contains { part == Array($0[100..<164]) }
  }

  private func removes(_ key: String) throws -> Bool {
    do {
      try store.remove(key)
      let object = try store.open(key)
      return object.length == .max
    } catch StoreError.removalRefused {
      return false
    } catch StoreError.notFound {
      return true
    }
  }
}
