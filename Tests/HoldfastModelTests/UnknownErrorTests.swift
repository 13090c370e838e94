import HoldfastModel
import Testing

/// Any error ends up as a message and an exit status, said in one way wherever it is met.
@Suite struct UnknownErrorTests {
  private struct Strange: Error, CustomStringConvertible { let description = "the moon is full" }

  @Test func anErrorOfOursIsToldAsItself() {
    let told = describe(EngineError(.machine, "the disk is full", hint: "Make room.", exitStatus: .incomplete))
    #expect(told.message == "the disk is full")
    #expect(told.hint == "Make room.")
    #expect(told.exitStatus == .incomplete)
    #expect(told.scope == .machine)
  }

  @Test func anErrorOfSomebodyElseIsAFailureInItsOwnWordsAndNoDamage() {
    let told = describe(Strange())
    #expect(told.description == "the moon is full")
    #expect(told.exitStatus == .failed)
    #expect(told.scope != .repository, "what nobody knows proves no damage")
  }
}
