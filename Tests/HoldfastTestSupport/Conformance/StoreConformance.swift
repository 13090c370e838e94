package import HoldfastStore

/// The promises of every store (Store.swift), one a case. The tests of a store run all of them:
///
///     @Test(arguments: StoreConformance.allCases) func keeps(_ promise: StoreConformance) throws {
///       try promise.check(TheStore(…))   // a new and empty one each time
///     }
package enum StoreConformance: String, CaseIterable, Sendable {
  case whatIsCommittedIsReadBack
  case anObjectAppearsOnlyWithItsCommit
  case anAbortedObjectNeverWas
  case aDroppedObjectNeverWas
  case anObjectIsNeverReplaced
  case aReplacementTakesOverWithItsCommit
  case twoWritersOfOneKeyGetOneObject
  case aMissingObjectIsNamed
  case namesAreInOrderAndShowFolders
  case unfinishedObjectsAreNotNamed
  case removeRemovesOneObject
  case removeAllRemovesEverythingBelow
  case removeAllRemovesWhatIsUnfinished
  case removingNothingIsNoError
  case keysThatLeadAwayAreRefused
  case readsAreWithinBounds
  case anEmptyObjectIsAnObject
  case anObjectOfKnownLengthIsRead
  case aWrongLengthIsToldOf
  case rangesAreReadTogether
  case anObjectOfManyPartsIsWhole
  case aPartThatIsSentAgainCountsOnce
  case aRepeatedCommitMeetsItself
  case aBriefObjectIsAnObject
  case listingsComeInPages
  case listingsTellLengths
  case keysAreFoundWithoutOpeningThem
  case whatIsSettledStays
  case aTrialFindsWhatIsDeclared
  case aLockExcludesUntilItIsDropped
  case aWaitForALockEndsWhenItIsFreed
  case aWaitForALockEndsWithASignal

  /// A promise that was not kept.
  package struct Violation: Error, CustomStringConvertible {
    package let description: String
  }

  /// - Parameter store: a new and empty store.
  /// - Throws: `Violation`, or an error of the store that it should not throw.
  package func check(_ store: any Store) throws {
    switch self {
    case .whatIsCommittedIsReadBack: try checkRoundTrip(store)
    case .anObjectAppearsOnlyWithItsCommit: try checkAppearance(store)
    case .anAbortedObjectNeverWas: try checkAbort(store)
    case .aDroppedObjectNeverWas: try checkDrop(store)
    case .anObjectIsNeverReplaced: try checkNoReplacement(store)
    case .aReplacementTakesOverWithItsCommit: try checkReplacement(store)
    case .twoWritersOfOneKeyGetOneObject: try checkTwoWriters(store)
    case .aMissingObjectIsNamed: try checkMissing(store)
    case .namesAreInOrderAndShowFolders: try checkNames(store)
    case .unfinishedObjectsAreNotNamed: try checkUnfinished(store)
    case .removeRemovesOneObject: try checkRemovalOfOne(store)
    case .removeAllRemovesEverythingBelow: try checkRemoval(store)
    case .removeAllRemovesWhatIsUnfinished: try checkRemovalOfUnfinished(store)
    case .removingNothingIsNoError: try store.removeAll(below: "sources/shop/0000000001/")
    case .keysThatLeadAwayAreRefused: try checkKeys(store)
    case .readsAreWithinBounds: try checkBounds(store)
    case .anEmptyObjectIsAnObject: try checkEmpty(store)
    case .anObjectOfKnownLengthIsRead: try checkKnownLength(store)
    case .aWrongLengthIsToldOf: try checkOtherLength(store)
    case .rangesAreReadTogether: try checkRanges(store)
    case .anObjectOfManyPartsIsWhole: try checkManyParts(store)
    case .aPartThatIsSentAgainCountsOnce: try checkRepeatedPart(store)
    case .aRepeatedCommitMeetsItself: try checkRepeatedCommit(store)
    case .aBriefObjectIsAnObject: try checkBriefly(store)
    case .listingsComeInPages: try checkPages(store)
    case .listingsTellLengths:
      try checkLengths(store)
      try checkTags(store)
    case .keysAreFoundWithoutOpeningThem: try checkFinding(store)
    case .whatIsSettledStays: try checkSettling(store)
    case .aTrialFindsWhatIsDeclared: try checkProbe(store)
    case .aLockExcludesUntilItIsDropped: try checkLock(store)
    case .aWaitForALockEndsWhenItIsFreed: try checkWait(store)
    case .aWaitForALockEndsWithASignal: try checkInterruptedWait(store)
    }
  }
}
