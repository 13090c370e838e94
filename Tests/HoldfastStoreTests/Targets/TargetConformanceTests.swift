import HoldfastModel
import HoldfastStore
import HoldfastSystem
import HoldfastTestSupport
import Testing

/// Several targets keep together what each of them keeps.
@Suite(.timeLimit(.minutes(30))) struct TargetConformanceTests {
  enum Home: CaseIterable { case directory, memory, faraway }

  private let directory = TemporaryDirectory()

  private func store(_ home: Home) -> any Store {
    switch home {
    case .directory: return LocalStore(directory: directory.appending("new"), host: TestHost.make())
    case .memory: return MemoryStore()
    case .faraway:
      var traits = MemoryStore.Traits()
      (traits.partBytes, traits.pageMax, traits.connections, traits.lag, traits.isNear) = (1000, 2, 3, 2, false)
      return MemoryStore(traits)
    }
  }

  @Test(arguments: StoreConformance.allCases, Home.allCases)
  func threeTargetsKeep(_ promise: StoreConformance, at home: Home) throws {
    var traits = MemoryStore.Traits()
    (traits.partBytes, traits.connections) = (700, 2)
    let store = TargetStore(store(home), [MemoryStore(), MemoryStore(traits)])
    try promise.check(store)
    try store.finish()
    #expect(store.outcomes.all.allSatisfy { $0.behind.isEmpty }, "\(store.outcomes.all)")
  }

  /// Home answers although the others fail, hang or lose answers.
  @Test(arguments: StoreConformance.allCases) func homeKeepsItWhateverTheOthersDo(_ promise: StoreConformance) throws {
    var policy = TargetPolicy()
    (policy.waitMax, policy.linger, policy.stallMax) = (.zero, .zero, .milliseconds(10))
    var traits = MemoryStore.Traits()
    traits.isNear = false
    let hanging = HangingStore(MemoryStore(traits))
    let store = TargetStore(MemoryStore(), [FaultyStore(MemoryStore(), seed: 5), hanging], policy)
    defer { hanging.goOn() }
    try promise.check(store)
    try store.finish()
  }
}
