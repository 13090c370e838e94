package import HoldfastEngine

/// The commands for the storage of an append-only repository, as `--json` shows them.
package struct AppendOnlyRecipeJSON: Encodable {
  private let location: String
  /// Commands for a shell.
  private let recipe: String

  package init(_ recipe: AppendOnlyRecipe) { (location, self.recipe) = (recipe.location, recipe.text) }
}
