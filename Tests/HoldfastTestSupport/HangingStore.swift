package import HoldfastStore
package import HoldfastSystem

/// A layer whose requests hang until the test lets them continue, like those to a silent server. It opens objects of
/// known length without a request.
package final class HangingStore: RequestLayer {
  package let base: any Store
  private let end = Latch()

  package init(_ base: any Store) { self.base = base }

  deinit { end.open() }

  /// Lets all requests continue, also later ones.
  package func goOn() { end.open() }

  package func request<Answer>(_ body: () throws -> Answer) throws -> Answer {
    end.wait()
    return try body()
  }

  package func open(_ key: String, length: UInt64?) throws -> any ReadableBytes {
    let object = try length == nil ? request { try base.open(key, length: nil) } : base.open(key, length: length)
    return RequestedObject(object, self)
  }
}
