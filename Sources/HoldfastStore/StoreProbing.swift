internal import HoldfastModel
package import HoldfastSystem
internal import Synchronization

extension Store {
  /// Tests the store: two clients create one key at once, another one creates it again; then a range, a listing and a
  /// removal.
  package func probe(_ random: Randomness) throws -> StoreProbe {
    try ProbeRun(store: self, random: random).run()
  }
}

/// One test of the promises of a store, under keys that nobody else uses.
struct ProbeRun {
  let store: any Store
  let random: Randomness

  func run() throws -> StoreProbe {
    let folder = "\(StoreProbe.prefix)\(random.identifier())/"
    // If the store does not allow removal, it stays.
    defer { try? store.removeAll(below: folder) }
    var found = store.capabilities
    let key = folder + "object"
    let random = random.bytes(256)
    let both = [random, random.map { ~$0 }]
    let created = try create(key, both)
    found.createsIfAbsent = try created.count == 1 && !creates(key, random.reversed()) && found.createsIfAbsent
    let bytes = created.first ?? random
    found.readsRanges = try reads(key, bytes) && found.readsRanges
    let page = try store.list(folder, .children, after: nil, max: 10)
    found.listsAtOnce = page.entries.map(\.name) == ["object"] && found.listsAtOnce
    if let entry = page.entries.first {
      found.listsLengths = entry.kind == .object(length: UInt64(bytes.count)) && found.listsLengths
    }
    found.removes = try removes(key) && found.removes
    return StoreProbe(capabilities: found, weaknesses: weaknesses(found))
  }

  /// Creates one key twice at the same moment.
  /// - Returns: the bytes of those calls that succeeded.
  private func create(_ key: String, _ both: [[UInt8]]) throws -> [[UInt8]] {
    let outcomes = Mutex<[Result<[UInt8]?, any Error>]>([])
    let threads = both.map { bytes in
      WorkerThread.start {
        let outcome = Result { try creates(key, bytes) ? bytes : nil }
        outcomes.withLock { $0.append(outcome) }
      }
    }
    for thread in threads { thread?.join() }
    return try outcomes.withLock { $0 }.compactMap { try $0.get() }
  }

  private func creates(_ key: String, _ bytes: [UInt8]) throws -> Bool {
    let writer = try store.create(key)
    try bytes.withUnsafeBytes { try writer.append($0) }
    do {
      try writer.commit()
      return true
    } catch StoreError.alreadyExists {
      return false
    }
  }

  private func reads(_ key: String, _ bytes: [UInt8]) throws -> Bool {
    var part = [UInt8](repeating: 0, count: 64)
    let object = try store.open(key, length: UInt64(bytes.count))
    try part.withUnsafeMutableBytes { try object.read(into: $0, at: 100) }
    return part == Array(bytes[100..<164])
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

  private func weaknesses(_ found: StoreCapabilities) -> [String] {
    var weaknesses: [String] = []
    if !found.createsIfAbsent {
      weaknesses.append(
        "\(store.location) replaces objects that are there: of two machines that commit at the same moment one may replace what the other has just committed; let only one write there"
      )
    }
    if !found.isDurable {
      weaknesses.append(
        "\(store.location) does not say when what is written survives a loss of power: what was committed in its last minutes may be lost with it"
      )
    }
    return weaknesses
  }
}
