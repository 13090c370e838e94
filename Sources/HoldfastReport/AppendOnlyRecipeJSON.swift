package import HoldfastEngine

/// What the side of the storage needs, as `--json` shows it.
package struct AppendOnlyRecipeJSON: Encodable {
  private let location: String
  /// Commands for a shell.
  private let recipe: String

  package init(_ recipe: AppendOnlyRecipe) { (location, self.recipe) = (recipe.location, recipe.text) }
}
