internal import HoldfastArchive
internal import HoldfastModel
internal import HoldfastRepository
internal import HoldfastStore
internal import HoldfastSystem
internal import Synchronization

/// Proves a share of the stored bytes of a target against the digests that its manifests demand. It needs no key. What
/// parity could give back is damage all the same.
struct ScrubProof: Sendable {
  struct Outcome {
    var faults: [ScrubFault] = []
    var bytes: UInt64 = 0
    var objects: UInt64 = 0
  }

  /// The number of bytes of an object that are chosen together. An object of which nothing is chosen is not opened.
  private static let partBytes: UInt64 = 1 << 20
  /// The number of frames that a thread proves before it takes others.
  private static let framesAtOnce = 64
  /// The most objects that are open at once.
  private static let openMax = 16
  let target: ScrubTarget
  let sample: Sample
  /// Gets the number of bytes that were proved; called by several threads.
  let onProved: @Sendable (UInt64) -> Void

  private var containers: ContainerStore { target.repository.containers.closed.asStored }

  private var threads: Int { max(target.repository.host.workers, target.repository.store.connections) }

  /// Proves the chosen share of objects.
  /// - Parameter items: objects that are there.
  func run(_ items: [ContainerCopy.Item]) throws -> Outcome {
    let chosen = items.filter(isChosen)
    try target.repository.containers.checkReadable(chosen.filter { $0.kind == .archive }.map(\.key))
    var outcome = Outcome()
    for start in stride(from: 0, to: chosen.count, by: Self.openMax) {
      try prove(Array(chosen[start..<min(start + Self.openMax, chosen.count)]), &outcome)
    }
    return outcome
  }

  /// Reads all of one object anew from the store, and returns true if it is sound.
  func isSound(_ item: ContainerCopy.Item) throws -> Bool {
    do {
      let reader = try containers.open(item.kind, item.key, item.reference, isAnew: true)
      try reader.verifyStored(0..<UInt32(reader.frames.count)) { _, damage in
        try target.repository.host.cancellation.check()
        if let damage { throw damage }
      }
      try reader.verifyParity { _ in try target.repository.host.cancellation.check() }
      return true
    } catch is DamageError {
      return false
    }
  }

  // MARK: Choosing

  private func isChosen(_ item: ContainerCopy.Item) -> Bool {
    if sample.isAll { return true }
    let hash = Sample.hash(item.key)
    return (0...item.reference.length / Self.partBytes).contains { sample.isChosen(name: hash, part: $0) }
  }

  private func chosenFrames(of reader: ContainerReader, _ key: String) -> [UInt32] {
    let hash = Sample.hash(key)
    return (0..<UInt32(reader.frames.count)).filter(reader.isProof).filter {
      sample.isAll || sample.isChosen(name: hash, part: reader.frames[Int($0)].offset / Self.partBytes)
    }
  }

  private func choosesParity(of reader: ContainerReader, _ key: String) -> Bool {
    guard let offset = reader.parityOffset else { return false }
    return sample.isAll || sample.isChosen(name: Sample.hash(key), part: offset / Self.partBytes)
  }

  // MARK: Proving

  private struct Work {
    let item: Int
    let reader: ContainerReader
    let frames: ArraySlice<UInt32>
    /// True if the parity is proved too.
    var provesParity = false
  }

  private func prove(_ items: [ContainerCopy.Item], _ outcome: inout Outcome) throws {
    let opened = Mutex<[Int: Result<ContainerReader, DamageError>]>([:])
    try SideBySide.run(items.count, threads: threads) { index in
      try target.repository.host.cancellation.check()
      let result = try open(items[index])
      opened.withLock { $0[index] = result }
    }
    var work: [Work] = []
    let found = Mutex<[Int: DamageError]>([:])
    for (index, result) in opened.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      switch result {
      case .failure(let damage): found.withLock { $0[index] = damage }
      case .success(let reader):
        outcome.objects += 1
        let frames = chosenFrames(of: reader, items[index].key)
        if !sample.isAll { reader.expect(frames) }
        for start in stride(from: 0, to: frames.count, by: Self.framesAtOnce) {
          work.append(
            Work(item: index, reader: reader, frames: frames[start..<min(start + Self.framesAtOnce, frames.count)]))
        }
        if choosesParity(of: reader, items[index].key) {
          work.append(Work(item: index, reader: reader, frames: [], provesParity: true))
        }
      }
    }
    let bytes = Atomic<UInt64>(0)
    let allWork = work
    @Sendable func proved(_ count: Int) throws {
      try target.repository.host.cancellation.check()
      bytes.wrappingAdd(UInt64(count), ordering: .relaxed)
      onProved(UInt64(count))
    }
    try SideBySide.run(allWork.count, threads: threads) { index in
      let work = allWork[index]
      @Sendable func note(_ damage: DamageError) { found.withLock { $0[work.item] = $0[work.item] ?? damage } }
      try work.reader.verifyStored(work.frames) { frame, damage in
        try proved(Int(frame.storedCount))
        if let damage { note(damage) }
      }
      guard work.provesParity else { return }
      do { try work.reader.verifyParity(proved) } catch let damage as DamageError { note(damage) }
    }
    outcome.bytes += bytes.load(ordering: .relaxed)
    outcome.faults += found.withLock { $0 }.sorted { $0.key < $1.key }.map { index, damage in
      let damage = DamageError(items[index].key, damage.finding)
      return ScrubFault(
        damage: damage, demand: .container(items[index]), isMissing: damage.finding == Self.missingFinding)
    }
  }

  /// The text of the finding for an object that was listed, but is not there.
  private static let missingFinding = "it is missing"

  private func open(_ item: ContainerCopy.Item) throws -> Result<ContainerReader, DamageError> {
    do {
      return .success(
        try containers.open(
          item.kind, item.key, item.reference, isReadWhole: sample.isAll))
    } catch let damage as DamageError {
      return .failure(damage)
    }
  }
}
