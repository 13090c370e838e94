import HoldfastModel
import HoldfastStore
import HoldfastSystem
import Synchronization

/// A store at which another run works meanwhile: it is called before a request is answered.
final class MeanwhileStore: StoreLayer {
  enum Request: Equatable {
    case open(String)
    case upload(String)
    case lease
  }

  let base: any Store
  private let work: @Sendable (Request) -> Void
  private let isAtWork = Atomic(false)

  /// - Parameter work: the work of the other run. Its own requests do not lead to another call.
  init(_ base: any Store, _ work: @escaping @Sendable (Request) -> Void) { (self.base, self.work) = (base, work) }

  private func call(_ request: Request) {
    guard !isAtWork.exchange(true, ordering: .acquiringAndReleasing) else { return }
    work(request)
    isAtWork.store(false, ordering: .releasing)
  }

  func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    call(.open(key))
    return try base.open(key, length: length)
  }

  func upload(_ key: String) throws -> any ObjectUpload {
    call(.upload(key))
    return try base.upload(key)
  }

  func lock(_ name: String, wait: Bool, cancellation: Cancellation) throws -> (any StoreLock)? {
    call(.lease)
    return try base.lock(name, wait: wait, cancellation: cancellation)
  }
}
