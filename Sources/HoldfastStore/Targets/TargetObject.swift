internal import HoldfastModel
internal import HoldfastSystem
internal import Synchronization

/// An object that is read from any target that has it: from home first; from the next one at once if a target fails;
/// and from the next one too if a far one does not answer soon.
final class TargetObject: ReadableBytes {
  let name: String
  let length: UInt64
  private let atTargets: [ObjectCopy]
  private let reading: TargetReading
  /// True if the length comes from a manifest. False if it is only the one that was found.
  private let isRecorded: Bool

  /// - Parameter opened: the results of opening, by the numbers of targets that were asked already.
  init(
    _ key: String, length: UInt64, isRecorded: Bool, opened: [Int: Result<any ReadableBytes, any Error>],
    _ reading: TargetReading
  ) {
    (name, self.length, self.isRecorded, self.reading) = (key, length, isRecorded, reading)
    atTargets = reading.targets.indices.map { ObjectCopy(key, length: length, at: $0, opened[$0], reading) }
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try read([ReadPart(at: offset, into: buffer)])
  }

  func read(_ parts: [ReadPart]) throws {
    for part in parts {
      guard part.offset <= length, UInt64(part.buffer.count) <= length - part.offset else {
        throw StoreError.endOfObject(name)
      }
    }
    try HedgedRead(parts, of: order, reading).run()
  }

  func expect(_ ranges: [Range<UInt64>]) { order.first?.expect(ranges) }

  /// If the length is not recorded, it may be that of damaged bytes. Other targets are then opened without it.
  var copies: [any ReadableBytes] { isRecorded ? order : order.compactMap { try? $0.openedAnew() } }

  /// The targets in the order in which they are asked. Those in which this object is wrong come last.
  private var order: [ObjectCopy] {
    let asked = reading.order().map { self.atTargets[$0] }
    return asked.filter { !$0.isBad } + asked.filter { $0.isBad }
  }
}

/// An object as one target has it. It is opened when it is first read.
final class ObjectCopy: ReadableBytes {
  private enum State {
    case unopened
    case opened(any ReadableBytes)
    case failed(any Error)
  }

  let name: String
  let length: UInt64
  /// The number of the target.
  let target: Int
  private let store: any Store
  private let reading: TargetReading
  private let state: Mutex<State>
  private let bad: Atomic<Bool>

  init(
    _ key: String, length: UInt64, at target: Int, _ opened: Result<any ReadableBytes, any Error>?,
    _ reading: TargetReading
  ) {
    (name, self.length, self.target, self.reading) = (key, length, target, reading)
    store = reading.targets[target].store
    switch opened {
    case nil:
      state = Mutex(.unopened)
      bad = Atomic(false)
    case .success(let object)?:
      state = Mutex(.opened(object))
      bad = Atomic(false)
    case .failure(let error)?:
      state = Mutex(.failed(error))
      bad = Atomic(true)
    }
  }

  /// True if the target has failed to give this object.
  var isBad: Bool { bad.load(ordering: .relaxed) }

  /// True if reading has no latency.
  var isNear: Bool { store.capabilities.isNear }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws {
    try object().read(into: buffer, at: offset)
  }

  func read(_ parts: [ReadPart]) throws { try object().read(parts) }

  func expect(_ ranges: [Range<UInt64>]) { (try? object())?.expect(ranges) }

  /// Returns the same object, opened without an expected length.
  func openedAnew() throws -> ObjectCopy {
    let object = try store.open(name, length: nil)
    return ObjectCopy(name, length: object.length, at: target, .success(object), reading)
  }

  func noteDamage(_ damage: any Error) { noteFailure(damage) }

  func noteFailure(_ failure: any Error) {
    bad.store(true, ordering: .relaxed)
    reading.noteFailure(target, name, failure)
  }

  private func object() throws -> any ReadableBytes {
    switch state.withLock({ $0 }) {
    case .opened(let object): return object
    case .failed(let error): throw error
    case .unopened:
      // Two threads may open it at once, which does no harm.
      let object = try store.open(name, length: length)
      state.withLock { $0 = .opened(object) }
      return object
    }
  }
}
