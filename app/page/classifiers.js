// The classifiers that the service has: their names, titles and cards, from the response of `/models`.

const AFFINE = /^dense \d+$/; // the architecture of a model whose logits are an affine map of the pixels

/**
 * Return the served classifiers, the default model first: `{name, title, card, version, isAffine}`, with the card of the default
 * version. Models with a task of their own, such as the finder, are no classifiers.
 */
export function listClassifiers({ models, default_model: defaultModel }) {
  const classifiers = models.flatMap(({ name, served, versions }) => {
    const card = versions.find(({ version }) => version === served)?.card;
    if (!card || "task" in card) return [];
    return [{ name, title: card.title ?? name, card, version: served, isAffine: AFFINE.test(card.architecture) }];
  });
  return classifiers.sort((one, other) => (other.name === defaultModel) - (one.name === defaultModel));
}
