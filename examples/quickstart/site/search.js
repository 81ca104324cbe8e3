// Filters the list of recipes by what the visitor types.
const list = document.getElementById("recipes");
const box = document.createElement("input");
box.type = "search";
box.placeholder = "Find a recipe";
box.addEventListener("input", () => {
  const wanted = box.value.toLowerCase();
  for (const item of list.children) {
    item.hidden = !item.textContent.toLowerCase().includes(wanted);
  }
});
list.before(box);
